/**
 * The embedded store as a child process: started, watched, started again when it dies.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

/** What to start. */
export interface StoreChildOptions {
  readonly store: "sqlite" | "memory";
  readonly folder: string;
  readonly crds: readonly string[];
  readonly complain: (line: string) => void;
}

/** A store that runs beside us. */
export interface StoreChild {
  readonly address: string;
  stop(): Promise<void>;
}

/** The store ended before it listened; the message is what it said. */
export class StoreStartError extends Error {
  override readonly name = "StoreStartError";
  /** 2 if its definitions are off, else 1. */
  readonly exitCode: number;
  constructor(message: string, exitCode: number) {
    super(message);
    this.exitCode = exitCode;
  }
}

/** Longest path of a unix socket that every system takes. */
const maxSocketPath = 100;
/** Waits between two starts of a store that keeps dying. */
const minBackoffMs = 100;
const maxBackoffMs = 5_000;
/** Lines of stderr that are kept to say why a start failed. */
const keptLines = 50;
const stopTimeoutMs = 10_000;

/** Starts the store. @throws StoreStartError with what it said, if it doesn't come to listen. */
export async function startStore(options: StoreChildOptions): Promise<StoreChild> {
  const { complain } = options;
  const socket = socketPath(options.folder);
  const args = [
    fileURLToPath(new URL("./annex.js", import.meta.url)),
    "store",
    options.store === "sqlite" ? "sql" : "memory",
    "--listen",
    `unix:${socket}`,
    "--data",
    join(options.folder, "sql"),
    ...options.crds.flatMap((path) => ["--crds", path]),
  ];
  let isStopping = false;
  let backoffMs = minBackoffMs;
  let current: ChildProcess;
  let restart: NodeJS.Timeout | undefined;

  function launch(): {
    child: ChildProcess;
    listening: Promise<string>;
    ended: Promise<{ code: number; said: string }>;
  } {
    // Its own group: Ctrl-C at the terminal is for us, the store is stopped when nobody needs it.
    const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "pipe"], detached: true });
    const said: string[] = [];
    createInterface({ input: child.stderr as NodeJS.ReadableStream }).on("line", (line) => {
      said.push(line);
      if (said.length > keptLines) said.shift();
      if (isListening) process.stderr.write(`${line}\n`);
    });
    let isListening = false;
    const listening = new Promise<string>((resolve) => {
      createInterface({ input: child.stdout as NodeJS.ReadableStream }).once("line", (line) => {
        isListening = true;
        backoffMs = minBackoffMs;
        resolve(line);
      });
    });
    const ended = new Promise<{ code: number; said: string }>((resolve) => {
      child.once("close", (code, signal) =>
        resolve({ code: code ?? 1, said: said.join("\n") || `it was ended by ${signal}` }),
      );
    });
    return { child, listening, ended };
  }

  function watch(ended: Promise<{ code: number; said: string }>): void {
    void ended.then(({ code, said }) => {
      if (isStopping) return;
      complain(`the store ended with code ${code}; it is started again in ${backoffMs} ms: ${said.split("\n").at(-1)}`);
      restart = setTimeout(() => {
        const next = launch();
        current = next.child;
        watch(next.ended);
      }, backoffMs);
      backoffMs = Math.min(backoffMs * 2, maxBackoffMs);
    });
  }

  const first = launch();
  current = first.child;
  const outcome = await Promise.race([first.listening, first.ended]);
  if (typeof outcome !== "string") {
    throw new StoreStartError(`the store did not start:\n${outcome.said}`, outcome.code === 2 ? 2 : 1);
  }
  watch(first.ended);
  // Whatever ends us ends the store.
  const killChild = () => current.kill("SIGKILL");
  process.once("exit", killChild);
  return {
    address: outcome,
    async stop() {
      isStopping = true;
      clearTimeout(restart);
      if (current.exitCode === null && current.signalCode === null) {
        const ended = new Promise<void>((resolve) => current.once("close", () => resolve()));
        current.kill("SIGTERM");
        const cut = setTimeout(() => current.kill("SIGKILL"), stopTimeoutMs);
        await ended;
        clearTimeout(cut);
      }
      process.off("exit", killChild);
      rmSync(socket, { force: true });
    },
  };
}

function socketPath(folder: string): string {
  const path = join(folder, "store.sock");
  return Buffer.byteLength(path) <= maxSocketPath ? path : join(tmpdir(), `annex-${process.pid}.sock`);
}
