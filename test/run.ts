/**
 * `npm test`: the one gate. Each step in order, with its time; the first that fails ends it.
 *
 * The tests come last, so that node's own summary are the last lines.
 */
import { spawnSync } from "node:child_process";
import { glob } from "node:fs/promises";
import { delimiter, join } from "node:path";
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

/** Files at a time. Most of them wait for processes and timers, so two keep two cores busy. */
const testConcurrency = 2;

/** Generous: a test that hangs must not hang the gate. */
const testTimeoutMs = 300_000;

// Run by name, so that it also works outside of an npm script.
const env = { ...process.env, PATH: `${join(root, "node_modules/.bin")}${delimiter}${process.env["PATH"] ?? ""}` };

process.exitCode = await main(process.argv.slice(2));

async function main(args: readonly string[]): Promise<number> {
  for (const step of steps) {
    if (!runStep(step)) return 1;
  }
  const files = await testFiles();
  const command = [
    process.execPath,
    "--test",
    `--test-concurrency=${testConcurrency}`,
    `--test-timeout=${testTimeoutMs}`,
    ...args,
    ...files,
  ];
  return runStep(command, `node --test, ${files.length} files`) ? 0 : 1;
}

async function testFiles(): Promise<string[]> {
  const files: string[] = [];
  for await (const file of glob("{gateway,stores,test}/**/*.test.ts", { cwd: root })) {
    if (!isForCluster(file)) files.push(file);
  }
  return files.sort();
}

function runStep([command = "", ...args]: readonly string[], title = [command, ...args].join(" ")): boolean {
  const since = performance.now();
  const isTests = command === process.execPath;
  if (isTests) process.stdout.write(`• ${title}\n`);
  const { status, error } = spawnSync(command, args, { cwd: root, env, stdio: "inherit" });
  if (error !== undefined) process.stdout.write(`${error.message}\n`);
  // Nothing after the tests' own summary.
  if (!isTests || status !== 0) {
    const seconds = ((performance.now() - since) / 1000).toFixed(1);
    process.stderr.write(`${status === 0 ? "✔" : "✖"} ${title} (${seconds} s)\n`);
  }
  return status === 0;
}
