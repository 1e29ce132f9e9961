/**
 * `npm run test:cluster [-- NAME...]`: the tests over what npm can't bring: Kubernetes' own programs,
 * which Go builds, and the sample stores, each with its own toolchain.
 *
 * NAME is a part of a file's name; none: all but those that are run by name only. Where Go is missing it
 * says what it skips; a sample says so itself. Several programs and real time take part: a file that
 * fails is run once more, and the end says so. It also says how many passed and how long that took, with
 * Kubernetes' programs apart: building them takes many minutes once, and none as long as they are kept.
 */
import { spawnSync } from "node:child_process";
import { glob } from "node:fs/promises";
import { join } from "node:path";
import { root } from "../../support/checkout.ts";
import { buildBinaries, missingGo } from "./binaries.ts";

/** Generous: a test that hangs must not hang the rest; a sample in Rust is compiled in its. */
const testTimeoutMs = 1_200_000;

/** Files that take many minutes by themselves. */
const byNameOnly = [join("test", "differential")];

process.exitCode = await main(process.argv.slice(2));

async function main(names: readonly string[]): Promise<number> {
  const began = performance.now();
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
  const built = performance.now();
  // One file at a time: each has a control plane of its own, or compiles on every core.
  const again: string[] = [];
  const failed: string[] = [];
  for (const file of run) {
    if (runFile(file)) continue;
    again.push(file);
    if (!runFile(file)) failed.push(file);
  }
  for (const file of again) {
    console.log(`${file} failed${failed.includes(file) ? " twice" : " once, and passed when it was run again"}`);
  }
  const minutes = (from: number, to: number) => ((to - from) / 60_000).toFixed(1);
  const took = `${minutes(began, performance.now())} minutes, ${minutes(began, built)} of them for Kubernetes' programs`;
  console.log(`${run.length - failed.length} of ${run.length} files passed in ${took}`);
  return failed.length === 0 ? 0 : 1;
}

function runFile(file: string): boolean {
  // What a failed test left open must not hold up the next file; programs end with who started them.
  const args = ["--test", "--test-force-exit", `--test-timeout=${testTimeoutMs}`, file];
  return spawnSync(process.execPath, args, { cwd: root, stdio: "inherit" }).status === 0;
}

function isSample(file: string): boolean {
  return file.startsWith(join("test", "samples"));
}

async function testFiles(names: readonly string[]): Promise<string[]> {
  const files: string[] = [];
  for (const pattern of ["test/**/*.cluster.test.ts", "test/e2e/cluster/*.test.ts"]) {
    for await (const file of glob(pattern, { cwd: root })) files.push(file);
  }
  const isAsked = (file: string) =>
    names.length === 0
      ? !byNameOnly.some((folder) => file.startsWith(folder))
      : names.some((name) => file.includes(name));
  return [...new Set(files)].filter(isAsked).sort();
}
