/** Commands run to their end, with what they said. */
import { spawn } from "node:child_process";

/** What a command left. */
export interface Finished {
  /** Null became 1: it was killed. */
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** How a command is run. */
export interface RunOptions {
  readonly cwd?: string;
  readonly env?: NodeJS.ProcessEnv;
  readonly stdin?: string;
  /** Killed after this long. */
  readonly timeoutMs?: number;
}

/** Far above what any command of the tests takes, far below the gate's ten minutes. */
const defaultTimeoutMs = 120_000;

/** Runs a command. @throws Error only if it can't be started. */
export async function run(command: string, args: readonly string[], options: RunOptions = {}): Promise<Finished> {
  const { cwd, env = process.env, stdin = "", timeoutMs = defaultTimeoutMs } = options;
  const child = spawn(command, args, { cwd, env, timeout: timeoutMs, killSignal: "SIGKILL" });
  let stdout = "";
  let stderr = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    stdout += text;
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    stderr += text;
  });
  // A command that doesn't read its input is no fault of ours.
  child.stdin.on("error", () => {});
  child.stdin.end(stdin);
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", resolve);
  });
  return { code: code ?? 1, stdout, stderr };
}
