#!/usr/bin/env node
/**
 * The bin: says clearly that it needs Node 24, and hands over to the subcommand.
 *
 * Plain JavaScript without top-level await, so that an older Node can read it as far as the sentence.
 * The one place that knows the gateway, the bundled stores and the certifier, and that by name only: a
 * package has one bin. It starts one of them, never two in one process; nothing else in gateway/ may
 * point at stores/ or test/.
 */
import { existsSync } from "node:fs";

const neededMajor = 24;

const major = Number(process.versions.node.split(".")[0]);
if (major < neededMajor) {
  process.stderr.write(`annex needs Node ${neededMajor} or newer; this is Node ${process.versions.node}\n`);
  process.exit(2);
}

// Whoever started us with a channel (annex dev) wants us to end when it is gone, even if it was killed.
if (process.channel !== undefined) {
  process.once("disconnect", () => process.kill(process.pid, "SIGTERM"));
  process.channel.unref();
}

// In a checkout Node runs the TypeScript beside this file; the package has JavaScript in dist/, where a
// copy of this file lies beside it.
const folder = ["./", "../../dist/gateway/cli/"].find((path) => isThere(`${path}cli.ts`) || isThere(`${path}cli.js`));
if (folder === undefined) {
  process.stderr.write("annex isn't built: npm run build\n");
  process.exit(1);
}
const extension = isThere(`${folder}cli.ts`) ? "ts" : "js";
const [command, ...rest] = process.argv.slice(2);
/** Subcommands that aren't the gateway's. */
const others = { store: "../../stores/store", certify: "../../test/contract/certify" };
/** A store's garbage is small: half of what a gateway may let gather. */
const storeYoungBytes = 32 * 1024 * 1024;

start().then(
  (exitCode) => {
    process.exitCode = exitCode;
  },
  (error) => {
    // Nobody expected it: whoever reports it needs the whole of it.
    console.error(error);
    process.exitCode = 1;
  },
);

async function start() {
  if (command === "store") (await load("young-generation")).limitYoungGeneration(storeYoungBytes);
  if (Object.hasOwn(others, command)) return await (await load(others[command])).main(rest);
  return await (await load("cli")).main(process.argv);
}

/** @param {string} path relative to this file */
function isThere(path) {
  return existsSync(new URL(path, import.meta.url));
}

/** @param {string} path relative to the gateway's command line, without an extension */
function load(path) {
  return import(new URL(`${folder}${path}.${extension}`, import.meta.url).href);
}
