/**
 * `npm run test:cluster [-- NAME...]`: the tests over what npm can't bring: Kubernetes' own programs,
 * which Go builds, and the sample stores, each with its own toolchain.
 *
 * NAME is a part of a file's name; none: all but those that are run by name only. Where Go is missing it
 * says what it skips; a sample says so itself. Three files run at a time, and what each says comes when it
 * has ended. Several programs and real time take part: a file that fails is run once more, alone, and the
 * end says so. It also says how many passed and how long that took, with Kubernetes' programs apart:
 * building them takes many minutes once, and none as long as they are kept.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
import { glob } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { root } from "../../support/checkout.ts";
import { buildBinaries, missingGo } from "./binaries.ts";

/** Generous: a test that hangs must not hang the rest; a sample in Rust is compiled in its. */
const testTimeoutMs = 1_200_000;

/** Most of a file is waiting for a control plane: its loops, its caches, its programs that start. Three keep two cores busy. */
const filesAtOnce = 3;

/** They begin first, so that none is left over for the end; some wait, some compute, one beside the other. */
const longest = ["lifecycle", "aggregator", "apply.test", "informers", "kubectl.cluster", "rotation", "rolling"];

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
  const again: string[] = [];
  await eachAtOnce(run, async (file) => {
    if (!(await runFile(file))) again.push(file);
  });
  const failed: string[] = [];
  for (const file of again) if (!(await runFile(file))) failed.push(file);
  for (const file of again) {
    console.log(`${file} failed${failed.includes(file) ? " twice" : " once, and passed when it was run again"}`);
  }
  const minutes = (from: number, to: number) => ((to - from) / 60_000).toFixed(1);
  const took = `${minutes(began, performance.now())} minutes, ${minutes(began, built)} of them for Kubernetes' programs`;
  console.log(`${run.length - failed.length} of ${run.length} files passed in ${took}`);
  return failed.length === 0 ? 0 : 1;
}

/** Does some at a time, in their order. */
async function eachAtOnce(files: readonly string[], work: (file: string) => Promise<void>): Promise<void> {
  const left = [...files];
  const lane = async () => {
    for (let file = left.shift(); file !== undefined; file = left.shift()) await work(file);
  };
  await Promise.all(Array.from({ length: filesAtOnce }, lane));
}

/** Runs a file, says what it said, and gives whether it passed. */
async function runFile(file: string): Promise<boolean> {
  const since = performance.now();
  const folder = mkdtempSync(join(tmpdir(), "annex-cluster-run-"));
  // A file and no pipe: a program that outlives its test may keep it open.
  const said = join(folder, "said");
  const output = openSync(said, "w");
  // What a failed test left open must not hold up the next file; programs end with who started them.
  const args = ["--test", "--test-force-exit", `--test-timeout=${testTimeoutMs}`, file];
  const child = spawn(process.execPath, args, { cwd: root, stdio: ["ignore", output, output] });
  closeSync(output);
  const [code] = await once(child, "exit");
  const seconds = ((performance.now() - since) / 1000).toFixed(0);
  console.log(`${code === 0 ? "✔" : "✖"} ${file} (${seconds} s)\n${readFileSync(said, "utf8")}`);
  rmSync(folder, { recursive: true });
  return code === 0;
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
  const rank = (file: string) => {
    const at = longest.findIndex((name) => file.includes(name));
    return at === -1 ? longest.length : at;
  };
  return [...new Set(files)]
    .filter(isAsked)
    .sort()
    .sort((a, b) => rank(a) - rank(b));
}
