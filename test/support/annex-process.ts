/** An `annex` command as a process, known by the line that says it is ready. */
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import { annexBin } from "./checkout.ts";

/** A command that runs. */
export interface AnnexProcess {
  readonly pid: number;
  /** What the pattern's first group matched in the line that said it is ready. */
  readonly ready: string;
  stdout(): string;
  stderr(): string;
  /** Resolves with the exit code, however it ends. */
  readonly ended: Promise<number>;
  kill(signal: NodeJS.Signals): void;
  /** SIGTERM, and waits. @returns the exit code. */
  stop(): Promise<number>;
}

/** A busy machine compiles hundreds of schemas in this time. */
const readyTimeoutMs = 90_000;

/**
 * Starts a command and waits for a line of its stdout.
 * @throws Error with what it said if it ends before, or is too slow.
 */
export async function startAnnex(args: readonly string[], readyLine: RegExp): Promise<AnnexProcess> {
  // By the channel it ends with us, even if the test is killed.
  const child = spawn(process.execPath, [annexBin, ...args], { stdio: ["ignore", "pipe", "pipe", "ipc"] });
  const said = { stdout: "", stderr: "" };
  const ready = Promise.withResolvers<string>();
  createInterface({ input: child.stdout as Readable }).on("line", (line) => {
    said.stdout += `${line}\n`;
    const found = readyLine.exec(line)?.[1];
    if (found !== undefined) ready.resolve(found);
  });
  createInterface({ input: child.stderr as Readable }).on("line", (line) => {
    said.stderr += `${line}\n`;
  });
  const ended = new Promise<number>((resolve) => child.once("close", (code) => resolve(code ?? 1)));
  const fail = (how: string) =>
    ready.reject(new Error(`annex ${args.join(" ")} ${how}:\n${said.stdout}${said.stderr}`));
  void ended.then((code) => fail(`ended with ${code}`));
  const late = setTimeout(() => fail("was not ready in time"), readyTimeoutMs);
  try {
    return {
      ready: await ready.promise,
      pid: child.pid ?? 0,
      stdout: () => said.stdout,
      stderr: () => said.stderr,
      ended,
      kill: (signal) => void child.kill(signal),
      async stop() {
        child.kill("SIGTERM");
        return await ended;
      },
    };
  } catch (error) {
    child.kill("SIGKILL");
    throw error;
  } finally {
    clearTimeout(late);
  }
}
