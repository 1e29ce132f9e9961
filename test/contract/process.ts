/**
 * A store as a process of ours: started by a command, killed, paused, started again, stopped.
 *
 * It leads a process group, so that a command which starts the store behind a shell or npx is
 * stopped whole. What it makes in the temporary folder is made in one of its own, which goes with it:
 * a store that is killed can't take its socket away. States: running -> stopped; crash() goes through both.
 */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";

/** A store's process. */
export interface StoreProcess {
  /** As the first line of its stdout says; more than one: replicas. */
  readonly addresses: readonly string[];
  /** Sends a signal to every process of the store. */
  signal(signal: NodeJS.Signals): void;
  /** Kills it without warning and starts it again. */
  crash(): Promise<void>;
  /** Asks it to end, and waits until it has. */
  terminate(): Promise<ProcessEnd>;
  /** Starts it after terminate(). */
  start(): Promise<void>;
  /** Ends it whatever it does. */
  stop(): Promise<void>;
}

/** How a store's process ended that was asked to. */
export interface ProcessEnd {
  /** `code 0`, `signal SIGTERM`. */
  readonly how: string;
  /** Whether it had to be killed in the end. */
  readonly isCut: boolean;
  /** Whether a shell or npx stood before the store and ended by the signal: how the store ended can't be told. */
  readonly isUntold: boolean;
}

/** The process ended, or said nothing, before it gave an address. */
export class ProcessStartError extends Error {
  override readonly name = "ProcessStartError";
}

/** How long a store may take to say where it listens. */
const startMs = 30_000;
/** Longer than any store's drain. */
const stopMs = 15_000;
/** What ends a process from outside. */
const endSignals = ["SIGINT", "SIGTERM"] as const;

/** Starts a store. `passOn` gets the lines of its stderr. @throws ProcessStartError. */
export async function startProcess(command: readonly string[], passOn: (line: string) => void): Promise<StoreProcess> {
  // Short: a socket's path in it has a hundred characters at most.
  const temporary = mkdtempSync(join(tmpdir(), "annex-c-"));
  let child: ChildProcess;
  let ended: Promise<string>;
  let addresses: readonly string[] = [];

  function send(signal: NodeJS.Signals | 0): boolean {
    try {
      if (child.pid === undefined) return false;
      process.kill(-child.pid, signal);
      return true;
    } catch {
      // The group is gone.
      return false;
    }
  }

  async function launch(): Promise<void> {
    const [file = "", ...args] = command;
    const env = { ...process.env, TMPDIR: temporary };
    child = spawn(file, args, { stdio: ["ignore", "pipe", "pipe"], detached: true, env });
    const { stdout, stderr } = child;
    if (stderr !== null) createInterface({ input: stderr }).on("line", passOn);
    ended = new Promise((resolve) => {
      child.once("error", (error) => resolve(error.message));
      child.once("exit", (code, signal) => resolve(signal === null ? `code ${code}` : `signal ${signal}`));
    });
    const failed = new Promise<never>((_, reject) => {
      child.once("error", (error) => reject(new ProcessStartError(`${file} can't be started: ${error.message}`)));
      child.once("exit", (code) =>
        reject(new ProcessStartError(`the store ended with code ${code} before it said where it listens`)),
      );
      setTimeout(
        () => reject(new ProcessStartError(`the store did not say where it listens within ${startMs / 1000} s`)),
        startMs,
      ).unref();
    });
    failed.catch(() => {});
    const line = await Promise.race([
      new Promise<string>((resolve) => {
        if (stdout !== null) createInterface({ input: stdout }).once("line", resolve);
      }),
      failed,
    ]);
    addresses = line.trim().split(/\s+/);
  }

  async function gone(): Promise<void> {
    while (send(0)) await new Promise<void>((resolve) => setTimeout(resolve, 10));
  }

  async function terminate(): Promise<ProcessEnd> {
    const isWrapped = leadsOthers(child.pid);
    send("SIGCONT");
    send("SIGTERM");
    let isCut = false;
    const cut = setTimeout(() => {
      isCut = true;
      send("SIGKILL");
    }, stopMs);
    const how = await ended;
    await gone();
    clearTimeout(cut);
    return { how, isCut, isUntold: isWrapped && how === "signal SIGTERM" };
  }

  const kill = () => {
    send("SIGKILL");
    rmSync(temporary, { recursive: true, force: true });
  };
  // A signal alone would end us without an "exit", and the store would go on for nobody.
  const onSignal = (_: string, number: number) => process.exit(128 + number);
  const letGo = () => {
    process.off("exit", kill);
    for (const signal of endSignals) process.off(signal, onSignal);
  };
  process.once("exit", kill);
  for (const signal of endSignals) process.once(signal, onSignal);
  try {
    await launch();
  } catch (error) {
    kill();
    letGo();
    throw error;
  }
  return {
    get addresses() {
      return addresses;
    },
    signal: (signal) => {
      send(signal);
    },
    async crash() {
      send("SIGKILL");
      await ended;
      await gone();
      await launch();
    },
    terminate,
    start: launch,
    async stop() {
      await terminate();
      letGo();
      rmSync(temporary, { recursive: true, force: true });
    },
  };
}

/** Whether there are others in the group that a process leads. */
function leadsOthers(leader: number | undefined): boolean {
  const { stdout } = spawnSync("ps", ["-A", "-o", "pid=,pgid="], { encoding: "utf8" });
  return (stdout ?? "").split("\n").some((line) => {
    const [pid, group] = line.trim().split(/\s+/).map(Number);
    return group === leader && pid !== leader;
  });
}
