/** A store as a process: started by a command, known by the first line of its stdout. */
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";

/** What is started. */
export interface StoreCommand {
  readonly command: string;
  readonly args: readonly string[];
  readonly cwd: string;
  readonly env?: NodeJS.ProcessEnv;
}

/** A store that listens. */
export interface StoreProcess {
  readonly address: string;
  readonly pid: number;
  stderr(): string;
  /** SIGTERM, and waits. @returns the exit code; null after another signal. */
  stop(): Promise<number | null>;
}

/** An interpreter on a busy machine takes seconds. */
const listenTimeoutMs = 60_000;

/** Starts a store. @throws Error with what it said if it ends, or says nothing, instead. */
export async function startStoreProcess({
  command,
  args,
  cwd,
  env = process.env,
}: StoreCommand): Promise<StoreProcess> {
  const child = spawn(command, args, { cwd, env, stdio: ["ignore", "pipe", "pipe"], timeout: 0 });
  const lines: string[] = [];
  createInterface({ input: child.stderr }).on("line", (line) => lines.push(line));
  const ended = new Promise<number | null>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", resolve);
  });
  let late: NodeJS.Timeout | undefined;
  const address = await Promise.race([
    new Promise<string>((resolve) => createInterface({ input: child.stdout }).once("line", resolve)),
    ended.then(() => undefined),
    new Promise<undefined>((resolve) => {
      late = setTimeout(() => resolve(undefined), listenTimeoutMs);
    }),
  ]);
  clearTimeout(late);
  if (address === undefined) {
    child.kill("SIGKILL");
    throw new Error(`${command} ${args.join(" ")} does not listen:\n${lines.join("\n")}`);
  }
  return {
    address,
    pid: child.pid ?? 0,
    stderr: () => lines.join("\n"),
    async stop() {
      child.kill("SIGTERM");
      return await ended;
    },
  };
}
