/** A store as a process leaves nothing behind, however it, or who started it, ends. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { dirname } from "node:path";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import { test } from "node:test";
import { eventually } from "../support/eventually.ts";
import { startProcess } from "./process.ts";

/** Says a folder that it has made, as a store says the socket in it, and waits. */
const store = [
  process.execPath,
  "-e",
  `const made = require("fs").mkdtempSync(require("path").join(require("os").tmpdir(), "s-"));
  console.log(made);
  setInterval(() => {}, 1000);
  process.on("SIGTERM", () => process.exit(0));`,
];

test("startProcess() takes what a killed store left in the temporary folder away with it", async () => {
  const started = await startProcess(store, () => {});
  const [first = ""] = started.addresses;
  await started.crash();
  assert.ok(existsSync(first), "a store that comes again finds what it had");
  await started.stop();
  assert.ok(!existsSync(dirname(first)));
});

test("startProcess() ends the store and takes its folder away when a signal ends who started it", async () => {
  const code = `
    const { startProcess } = await import(${JSON.stringify(new URL("./process.ts", import.meta.url).href)});
    const started = await startProcess(${JSON.stringify(store)}, () => {});
    console.log(started.addresses[0]);`;
  const child = spawn(process.execPath, ["--input-type=module", "-e", code], { stdio: ["ignore", "pipe", "inherit"] });
  const [made] = (await once(createInterface({ input: child.stdout as Readable }), "line")) as [string];
  assert.ok(existsSync(made));
  child.kill("SIGTERM");
  const [exitCode] = await once(child, "close");
  assert.equal(exitCode, 143);
  await eventually(() => !existsSync(dirname(made)), "the folder is gone");
});
