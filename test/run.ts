/**
 * `npm test [-- NAME...]`: the one gate. Each step in order, with its time; the first that fails ends it.
 *
 * NAME is a part of a test file's name; none: all. The tests come last, so that node's own summary are
 * the last lines. Processes and real time take part in some of them: a file that fails is run once more,
 * when the machine has nothing else to do, and the last line says so.
 */
import { spawnSync } from "node:child_process";
import { once } from "node:events";
import { glob } from "node:fs/promises";
import { delimiter, join, relative } from "node:path";
import { run } from "node:test";
import { spec } from "node:test/reporters";
import { root } from "./support/checkout.ts";

/** Commands that need no test runner. The image is the contract as it was last released. */
const steps: readonly (readonly string[])[] = [
  ["tsc", "--noEmit"],
  ["biome", "check", "."],
  ["buf", "lint"],
  ["buf", "format", "--diff", "--exit-code", "--exclude-path", "proto/grpc"],
  ["buf", "breaking", "--against", "test/fixtures/contract.binpb"],
];

/** Tests over Go binaries are run by `npm run test:cluster`. */
const isForCluster = (file: string) =>
  file.endsWith(".cluster.test.ts") || file.startsWith(join("test", "e2e", "cluster"));

/** Files at a time. Most of them wait for processes and timers, so three keep two cores busy. */
const filesAtOnce = 3;

/** Files that take a minute or more: they begin first, so that none is left over for the end. */
const longest = [
  "test/toolchain/pack.test.ts",
  "test/e2e/real-data.test.ts",
  "test/e2e/read-promises.test.ts",
  "test/differential/recorded.test.ts",
  "test/e2e/crowd.test.ts",
  "stores/sql/store.test.ts",
  "test/e2e/kubectl.test.ts",
  "stores/memory/store.test.ts",
  "test/e2e/dev.test.ts",
  "test/e2e/workers.test.ts",
];

/** Generous: a test that hangs must not hang the gate, and one of two minutes has a fifth of a busy machine. */
const testTimeoutMs = 600_000;

// Run by name, so that it also works outside of an npm script.
process.env["PATH"] = `${join(root, "node_modules/.bin")}${delimiter}${process.env["PATH"] ?? ""}`;
// Hundreds of processes read the same modules.
process.env["NODE_COMPILE_CACHE"] ??= join(root, "node_modules/.cache/node");

process.exitCode = await main(process.argv.slice(2));

async function main(names: readonly string[]): Promise<number> {
  for (const step of steps) {
    if (!runStep(step)) return 1;
  }
  const files = await testFiles(names);
  if (files.length === 0) {
    console.log(`no test file is named ${names.join(" or ")}`);
    return 1;
  }
  const again = await runTests(files, filesAtOnce);
  if (again.length === 0) return 0;
  const failed = await runTests(again, 1);
  for (const file of again)
    console.log(`${file} failed${failed.includes(file) ? " twice" : " once, and passed when it was run again"}`);
  return failed.length === 0 ? 0 : 1;
}

async function testFiles(names: readonly string[]): Promise<string[]> {
  const files: string[] = [];
  for await (const file of glob("{gateway,stores,test}/**/*.test.ts", { cwd: root })) {
    if (!isForCluster(file) && (names.length === 0 || names.some((name) => file.includes(name)))) files.push(file);
  }
  const first = longest.filter((file) => files.includes(file));
  return [...first, ...files.filter((file) => !first.includes(file)).sort()];
}

/** Runs files in their order, and gives those that failed. @throws Error if nobody knows which. */
async function runTests(files: readonly string[], concurrency: number): Promise<string[]> {
  console.log(`• node --test, ${files.length} files`);
  const failed = new Set<string | undefined>();
  const fail = (file: string | undefined) => void failed.add(file && relative(root, file));
  const tests = run({ files: files.map((file) => join(root, file)), cwd: root, concurrency, timeout: testTimeoutMs });
  // A test may stand in another file than the one that is run; one that can't be read has no summary of its own.
  tests.on("test:fail", ({ file }) => fail(file));
  tests.on("test:summary", ({ file, success }) => success || fail(file));
  const report = tests.compose(new spec());
  report.pipe(process.stdout, { end: false });
  await once(report, "end");
  const found = files.filter((file) => failed.has(file));
  if (failed.size > 0 && found.length === 0) throw new Error("the tests failed");
  return found;
}

function runStep([command = "", ...args]: readonly string[]): boolean {
  const since = performance.now();
  const { status, error } = spawnSync(command, args, { cwd: root, stdio: "inherit" });
  if (error !== undefined) console.log(error.message);
  const seconds = ((performance.now() - since) / 1000).toFixed(1);
  process.stderr.write(`${status === 0 ? "✔" : "✖"} ${[command, ...args].join(" ")} (${seconds} s)\n`);
  return status === 0;
}
