/** The Go programs of this folder, each of which does one thing as Go does it. */
import { join } from "node:path";
import { root } from "../../support/checkout.ts";
import { run } from "../../support/run.ts";

/** Cold it takes minutes: Go keeps what it has built. */
const buildTimeoutMs = 30 * 60_000;

/** A program, by its folder. */
export type GoProgram = "clients" | "dynamicclient" | "fieldmanager" | "informers" | "remotecommand";

/** Builds one into the folder, and gives its path. @throws Error with what Go says against it. */
export async function buildGoProgram(program: GoProgram, folder: string): Promise<string> {
  const path = join(folder, program);
  const args = ["build", "-trimpath", "-buildvcs=false", "-ldflags", "-s -w", "-o", path, "."];
  const cwd = join(root, "test/e2e/cluster", program);
  const { code, stderr } = await run("go", args, { cwd, timeoutMs: buildTimeoutMs });
  if (code !== 0) throw new Error(`${program} can't be built:\n${stderr}`);
  return path;
}
