/**
 * `npm run test:cluster [-- NAME...]`: the tests over Kubernetes' own programs, which Go builds.
 *
 * NAME is a part of a file's name; none: all. Where Go is missing it says what it skips.
 */
import { spawnSync } from "node:child_process";
import { glob } from "node:fs/promises";
import { root } from "../../support/checkout.ts";
import { buildBinaries, missingGo } from "./binaries.ts";

/** Generous: a test that hangs must not hang the rest. */
const testTimeoutMs = 600_000;

process.exitCode = await main(process.argv.slice(2));

async function main(names: readonly string[]): Promise<number> {
  const files = await testFiles(names);
  if (files.length === 0) {
    console.log(`no test over a cluster is named ${names.join(" or ")}`);
    return 1;
  }
  const missing = await missingGo();
  if (missing !== undefined) {
    console.log(`skipped, because ${missing}:\n${files.map((file) => `  ${file}`).join("\n")}`);
    return 0;
  }
  await buildBinaries(undefined, console.log);
  // One file at a time: each has a control plane of its own.
  const args = ["--test", "--test-concurrency=1", `--test-timeout=${testTimeoutMs}`, ...files];
  return spawnSync(process.execPath, args, { cwd: root, stdio: "inherit" }).status ?? 1;
}

async function testFiles(names: readonly string[]): Promise<string[]> {
  const files: string[] = [];
  for (const pattern of ["test/**/*.cluster.test.ts", "test/e2e/cluster/*.test.ts"]) {
    for await (const file of glob(pattern, { cwd: root })) files.push(file);
  }
  return [...new Set(files)].filter((file) => names.length === 0 || names.some((name) => file.includes(name))).sort();
}
