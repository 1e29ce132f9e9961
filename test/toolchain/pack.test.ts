/** The package as somebody gets it: built, packed, installed in an empty folder, run from there. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { after, before, test } from "node:test";
import { root } from "../support/checkout.ts";
import { type Finished, run } from "../support/run.ts";
import { describeReadmeStores } from "./readme-stores.ts";

const folder = mkdtempSync(join(tmpdir(), "annex-pack-"));
const app = join(folder, "app");
const bin = join(root, "node_modules/.bin");
// Node 24 for whatever npm starts; nothing of the npm run that may be around us.
const env = Object.fromEntries(
  Object.entries({ ...process.env, PATH: `${bin}:${process.env["PATH"] ?? ""}` }).filter(
    ([name]) => !name.toLowerCase().startsWith("npm_") || name.toLowerCase().startsWith("npm_config_"),
  ),
);
/** A build and an installation take more than a minute on a busy machine. */
const timeoutMs = 480_000;
const { version } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as { version: string };
let packed: readonly string[] = [];

before(async () => {
  const pack = await run("npm", ["pack", "--json", "--pack-destination", folder], { cwd: root, env, timeoutMs });
  assert.equal(pack.code, 0, pack.stderr);
  // The build's own lines come before the JSON.
  const [report] = JSON.parse(pack.stdout.slice(pack.stdout.indexOf("[\n"))) as [
    { readonly filename: string; readonly files: readonly { readonly path: string }[] },
  ];
  packed = report.files.map((file) => file.path);
  mkdirSync(app);
  writeFileSync(join(app, "package.json"), '{ "name": "app", "private": true, "type": "module" }');
  const flags = ["--prefer-offline", "--no-audit", "--no-fund", "--ignore-scripts"];
  const install = await run("npm", ["install", ...flags, join(folder, report.filename)], { cwd: app, env, timeoutMs });
  assert.equal(install.code, 0, install.stderr);
});

after(() => rmSync(folder, { recursive: true, force: true }));

const annex = (...args: string[]): Promise<Finished> =>
  run("npx", ["--no-install", "annex", ...args], { cwd: app, env });

test("the package holds what runs, the contract and the licence, and no tests", () => {
  for (const needed of [
    "LICENSE",
    "README.md",
    "proto/annex/store/v1/store.proto",
    "gateway/cli/annex.js",
    "dist/gateway/cli/annex.js",
    "dist/gateway/main.d.ts",
    "dist/gen/annex/store/v1/store_pb.js",
  ]) {
    assert.ok(packed.includes(needed), `${needed} is missing`);
  }
  assert.deepEqual(
    packed.filter((file) => /\.(test|fixture|testing)\.|(?<!\.d)\.ts$/.test(file)),
    [],
  );
  assert.ok(packed.some((file) => file.startsWith("dist/stores/sql/examples/")));
});

test("annex runs from the installed package", async () => {
  const shown = await annex("--version");
  assert.deepEqual([shown.code, shown.stdout], [0, `${version}\n`], shown.stderr);
  const help = await annex("--help");
  assert.equal(help.code, 0);
  for (const command of ["dev", "gateway", "store", "certify"])
    assert.match(help.stdout, new RegExp(`^ {2}${command} `, "m"));
  assert.equal((await annex("nonsense")).code, 2);
  const promises = await annex("certify", "--list");
  assert.deepEqual([promises.code, promises.stderr], [0, ""]);
  assert.ok(promises.stdout.split("\n").length > 120);
});

for (const store of ["memory", "sql"]) {
  test(`annex store ${store} listens and stops from the installed package`, async () => {
    const child = spawn(join(app, "node_modules/.bin/annex"), ["store", store, "--data", join(folder, store)], {
      env,
      stdio: ["ignore", "pipe", "inherit"],
    });
    const ended = new Promise<number | null>((resolve) => child.once("close", resolve));
    const address = await new Promise<string>((resolve) => {
      createInterface({ input: child.stdout }).once("line", resolve);
      void ended.then(() => resolve("ended"));
    });
    assert.match(address, /^unix:\//);
    child.kill("SIGTERM");
    assert.equal(await ended, 0);
  });
}

test("annex dev is ready and drains from the installed package", async () => {
  const args = ["dev", "--port", "0", "--data", join(folder, "dev")];
  const child = spawn(join(app, "node_modules/.bin/annex"), args, { env, stdio: ["ignore", "pipe", "inherit"] });
  const ended = new Promise<number | null>((resolve) => child.once("close", resolve));
  const ready = await new Promise<string>((resolve) => {
    createInterface({ input: child.stdout }).on("line", (line) => {
      if (line.startsWith("ready")) resolve(line);
    });
    void ended.then(() => resolve("ended"));
  });
  assert.match(ready, /^ready https:\/\/127\.0\.0\.1:\d+ with \d+ resources$/);
  assert.ok(existsSync(join(folder, "dev/kubeconfig")));
  child.kill("SIGTERM");
  assert.equal(await ended, 0);
});

test("every export can be imported, and has types that a strict compiler takes", async () => {
  const source = `import { parseGatewayConfig } from "annex/config";
import { createGateway, createAuthorizer, type GatewayOptions, startGateway, unionAuthenticator } from "annex/gateway";
import { StoreService } from "annex/gen/annex/store/v1/store_pb";
import { runStore, type Store } from "annex/store";

const functions: readonly ((...args: never[]) => unknown)[] = [parseGatewayConfig, startGateway, createGateway, createAuthorizer, unionAuthenticator, runStore];
const options: GatewayOptions = {
  stores: [{ name: "tokens", address: "unix:/run/tokens.sock" }],
  authenticator: (request) =>
    request.header("x-user") === undefined ? undefined : { name: "u", uid: "", groups: [], extra: {} },
  authorizer: createAuthorizer({}),
  listener: "none",
  log: { info: console.log, warn: console.warn, error: console.error },
};
const store: Partial<Store> | undefined = undefined;
console.log(functions.map((one) => typeof one).join(), StoreService.typeName, store, options.listener);
`;
  writeFileSync(join(app, "app.mts"), source);
  const imported = await run(process.execPath, ["app.mts"], { cwd: app, env });
  assert.deepEqual(
    [imported.code, imported.stdout],
    [0, "function,function,function,function,function,function annex.store.v1.StoreService undefined none\n"],
    imported.stderr,
  );
  await typecheck("app.mts");
});

describeReadmeStores({ app, env, typecheck });

async function typecheck(file: string): Promise<void> {
  // The types of Node are what a TypeScript project has anyway.
  const typeRoots = join(root, "node_modules/@types");
  const flags = ["--noEmit", "--strict", "--module", "nodenext", "--target", "es2024", "--types", "node"];
  const checked = await run(join(bin, "tsc"), [...flags, "--typeRoots", typeRoots, file], { cwd: app, env });
  assert.deepEqual([checked.code, checked.stdout], [0, ""]);
}
