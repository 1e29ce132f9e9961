/**
 * `npm run test:cluster [-- NAME...]`: the tests over what npm can't bring: Kubernetes' own programs,
 * which Go builds, and the sample stores, each with its own toolchain.
 *
 * NAME is a part of a file's name; none: all. Where Go is missing it says what it skips; a sample says
 * so itself.
 */
import { spawnSync } from "node:child_process";
import { glob } from "node:fs/promises";
import { join } from "node:path";
import { root } from "../../support/checkout.ts";
import { buildBinaries, missingGo } from "./binaries.ts";

/** Generous: a test that hangs must not hang the rest; a sample in Rust is compiled in its. */
const testTimeoutMs = 1_200_000;

process.exitCode = await main(process.argv.slice(2));

async function main(names: readonly string[]): Promise<number> {
  const files = await testFiles(names);
  if (files.length === 0) {
    console.log(`no test over a cluster is named ${names.join(" or ")}`);
    return 1;
  }
  const overKubernetes = files.filter((file) => !isSample(file));
  const missing = overKubernetes.length === 0 ? undefined : await missingGo();
  if (missing !== undefined) {
    console.log(`skipped, because ${missing}:\n${overKubernetes.map((file) => `  ${file}`).join("\n")}`);
  } else if (overKubernetes.length > 0) await buildBinaries(undefined, console.log);
  const run = missing === undefined ? files : files.filter(isSample);
  if (run.length === 0) return 0;
  // One file at a time: each has a control plane of its own, or compiles on every core.
  const args = ["--test", "--test-concurrency=1", `--test-timeout=${testTimeoutMs}`, ...run];
  return spawnSync(process.execPath, args, { cwd: root, stdio: "inherit" }).status ?? 1;
}

function isSample(file: string): boolean {
  return file.startsWith(join("test", "samples"));
}

async function testFiles(names: readonly string[]): Promise<string[]> {
  const files: string[] = [];
  for (const pattern of ["test/**/*.cluster.test.ts", "test/e2e/cluster/*.test.ts"]) {
    for await (const file of glob(pattern, { cwd: root })) files.push(file);
  }
  return [...new Set(files)].filter((file) => names.length === 0 || names.some((name) => file.includes(name))).sort();
}
