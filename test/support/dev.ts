/** `annex dev` as a process, on a free port and, unless told otherwise, a data folder of its own. */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import { annexBin } from "./checkout.ts";

/** What is started. */
export interface DevOptions {
  /** Files and folders; none: the small set that annex serves by itself. */
  readonly crds?: readonly string[];
  readonly store?: "sqlite" | "memory";
  /** Kept after `stop`. Undefined: a fresh folder that goes with it. */
  readonly data?: string;
  /** More flags. */
  readonly args?: readonly string[];
}

/** A gateway and its store. */
export interface Dev {
  readonly url: string;
  readonly kubeconfig: string;
  readonly data: string;
  readonly pid: number;
  /** The store's process as it is now, or was last. */
  storePid(): number;
  stdout(): string;
  stderr(): string;
  /** Resolves with the exit code, however it ends. */
  readonly ended: Promise<number>;
  /** SIGTERM, and waits. @returns the exit code. */
  stop(): Promise<number>;
}

/** The real definitions take a few seconds on a busy machine. */
const readyTimeoutMs = 90_000;

/** Starts `annex dev` and waits for its `ready`. @throws Error with what it said if it ends before. */
export async function startDev(options: DevOptions = {}): Promise<Dev> {
  const data = options.data ?? mkdtempSync(join(tmpdir(), "annex-dev-"));
  const args = [
    ...["dev", "--port", "0", "--data", data, "--store", options.store ?? "sqlite"],
    ...(options.crds ?? []).flatMap((path) => ["--crds", path]),
    ...(options.args ?? []),
  ];
  // By the channel it ends with us, even if the test is killed.
  const child = spawn(process.execPath, [annexBin, ...args], { stdio: ["ignore", "pipe", "pipe", "ipc"] });
  const said = { stdout: "", stderr: "" };
  let storePid = 0;
  const ready = new Promise<string>((resolve) => {
    const take = (stream: "stdout" | "stderr") => (line: string) => {
      said[stream] += `${line}\n`;
      storePid = Number(/^(?:store|annex dev: the store runs again).*, process (\d+)$/.exec(line)?.[1] ?? storePid);
      const url = /^ready (\S+)/.exec(line)?.[1];
      if (stream === "stdout" && url !== undefined) resolve(url);
    };
    createInterface({ input: child.stdout as Readable }).on("line", take("stdout"));
    createInterface({ input: child.stderr as Readable }).on("line", take("stderr"));
  });
  const ended = exitCodeOf(child).then((code) => {
    if (options.data === undefined) rmSync(data, { recursive: true, force: true });
    return code;
  });
  let late: NodeJS.Timeout | undefined;
  const outcome = await Promise.race([
    ready,
    ended,
    new Promise<undefined>((resolve) => {
      late = setTimeout(() => resolve(undefined), readyTimeoutMs);
    }),
  ]);
  clearTimeout(late);
  if (typeof outcome !== "string") {
    child.kill("SIGKILL");
    const how = outcome === undefined ? "was not ready in time" : `ended with ${outcome}`;
    throw new Error(`annex ${args.join(" ")} ${how}:\n${said.stdout}${said.stderr}`);
  }
  return {
    url: outcome,
    kubeconfig: join(data, "kubeconfig"),
    data,
    pid: child.pid ?? 0,
    storePid: () => storePid,
    stdout: () => said.stdout,
    stderr: () => said.stderr,
    ended,
    async stop() {
      child.kill("SIGTERM");
      return await ended;
    },
  };
}

async function exitCodeOf(child: ChildProcess): Promise<number> {
  return await new Promise<number>((resolve) => child.once("close", (code) => resolve(code ?? 1)));
}
