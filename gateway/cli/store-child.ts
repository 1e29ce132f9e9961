/**
 * The embedded store as a child process: started, watched, started again when it dies.
 *
 * States: starting -> listening -> waiting (it died; a growing pause) -> starting ...; `stop` ends it
 * from any of them. A store that dies before it ever listened is an error of the start: its reason,
 * a malformed definition say, doesn't go away by trying again.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import { fileURLToPath } from "node:url";

/** What to start. */
export interface StoreChildOptions {
  readonly store: "sqlite" | "memory";
  readonly folder: string;
  readonly crds: readonly string[];
  /** Takes a sentence about a death or a new start. */
  readonly complain: (line: string) => void;
  /** Takes what the store writes to stderr once it listens. */
  readonly passOn: (line: string) => void;
  /** Gives up the start when it is aborted. */
  readonly signal: AbortSignal;
}

/** A store that runs beside us. */
export interface StoreChild {
  readonly address: string;
  /** The process that serves now. */
  pid(): number;
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

/** Longest path of a unix socket that every system takes: 104 bytes with its end on macOS, 108 on Linux. */
const maxSocketPathBytes = 100;
/** Pauses between two starts of a store that keeps dying: unnoticed at first, then no burden on the machine. */
const minBackoffMs = 100;
const maxBackoffMs = 5_000;
/** A store that lived this long didn't die of its start: the next pause is short again. */
const soundAfterMs = 10_000;
/** Lines of stderr that are kept to say why a start failed: every fault of a few bad definitions. */
const keptLines = 200;
/** How long the first start may take: a large data folder is read. */
const startTimeoutMs = 60_000;
/** Longer than a store's own drain, which is 5 s. */
const stopTimeoutMs = 10_000;

/** One process. */
interface Launched {
  readonly child: ChildProcess;
  readonly listening: Promise<string>;
  readonly ended: Promise<{ readonly code: number; readonly said: readonly string[] }>;
}

/** Starts the store. @throws StoreStartError with what it said, if it doesn't come to listen. */
export async function startStore(options: StoreChildOptions): Promise<StoreChild> {
  const { complain, signal } = options;
  const socket = socketFor(options.folder);
  const args = [
    fileURLToPath(new URL("./annex.js", import.meta.url)),
    "store",
    options.store === "sqlite" ? "sql" : "memory",
    "--listen",
    `unix:${socket.path}`,
    "--data",
    join(options.folder, "sql"),
    ...options.crds.flatMap((path) => ["--crds", path]),
  ];
  let isStopping = false;
  let backoffMs = minBackoffMs;
  let restart: NodeJS.Timeout | undefined;
  let current = launch(args, options.passOn);
  // A way out that takes no time to stop: the store must not outlive us.
  const kill = () => current.child.kill("SIGKILL");
  process.once("exit", kill);

  async function stop(): Promise<void> {
    isStopping = true;
    clearTimeout(restart);
    current.child.kill("SIGTERM");
    const cut = setTimeout(kill, stopTimeoutMs);
    await current.ended;
    clearTimeout(cut);
    process.off("exit", kill);
    socket.remove();
  }

  async function keepRunning(): Promise<void> {
    const since = performance.now();
    const { code, said } = await current.ended;
    if (isStopping) return;
    if (performance.now() - since > soundAfterMs) backoffMs = minBackoffMs;
    complain(`the store ended (${endText(code, said)}); it is started again in ${backoffMs} ms`);
    restart = setTimeout(() => {
      current = launch(args, options.passOn);
      const pid = current.child.pid;
      void current.listening.then(() => complain(`the store runs again, process ${pid}`));
      void keepRunning();
    }, backoffMs);
    backoffMs = Math.min(backoffMs * 2, maxBackoffMs);
  }

  const outcome = await firstOutcome(current, signal);
  if (typeof outcome !== "string") {
    await stop();
    if (outcome.code === 2) throw new StoreStartError(outcome.said.join("\n"), 2);
    throw new StoreStartError(`the store did not start: ${outcome.said.join("\n")}`, 1);
  }
  void keepRunning();
  return { address: outcome, pid: () => current.child.pid ?? 0, stop };
}

async function firstOutcome(
  { listening, ended }: Launched,
  signal: AbortSignal,
): Promise<string | { readonly code: number; readonly said: readonly string[] }> {
  const settled = new AbortController();
  const givenUp = new Promise<{ code: number; said: string[] }>((resolve) => {
    const giveUp = (why: string) => () => resolve({ code: 1, said: [why] });
    const late = setTimeout(giveUp(`it did not listen within ${startTimeoutMs / 1000} s`), startTimeoutMs);
    settled.signal.addEventListener("abort", () => clearTimeout(late));
    signal.addEventListener("abort", giveUp("it was told to stop"), { signal: settled.signal });
    if (signal.aborted) giveUp("it was told to stop")();
  });
  const outcome = await Promise.race([listening, ended, givenUp]);
  settled.abort();
  return outcome;
}

function launch(args: readonly string[], passOn: (line: string) => void): Launched {
  // A group of its own: Ctrl-C at the terminal is for us, and the store stops after the gateway. By the
  // channel it learns that we are gone (see annex.js).
  const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "pipe", "ipc"], detached: true });
  const said: string[] = [];
  let isListening = false;
  createInterface({ input: child.stderr as Readable }).on("line", (line) => {
    said.push(line);
    if (said.length > keptLines) said.shift();
    if (isListening) passOn(line);
  });
  const listening = new Promise<string>((resolve) => {
    createInterface({ input: child.stdout as Readable }).once("line", (address) => {
      isListening = true;
      // What it said so far was no reason not to start.
      for (const line of said) passOn(line);
      resolve(address);
    });
  });
  const ended = new Promise<{ code: number; said: readonly string[] }>((resolve) => {
    child.once("error", (error) => resolve({ code: 1, said: [error.message] }));
    child.once("close", (code, signal) =>
      resolve({ code: code ?? 1, said: signal === null ? said : [...said, `killed by ${signal}`] }),
    );
  });
  return { child, listening, ended };
}

function endText(code: number, said: readonly string[]): string {
  return said.at(-1) ?? `exit code ${code}`;
}

function socketFor(folder: string): { readonly path: string; remove(): void } {
  const path = join(folder, "store.sock");
  if (Buffer.byteLength(path) <= maxSocketPathBytes) return { path, remove: () => rmSync(path, { force: true }) };
  const temporary = join(mkdtempSync(join(tmpdir(), "annex-")), "store.sock");
  return { path: temporary, remove: () => rmSync(dirname(temporary), { recursive: true, force: true }) };
}
