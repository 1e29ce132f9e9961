/**
 * Several equal processes on one port: the supervisor's side.
 *
 * Each worker is a whole gateway, with a listener, a cache and feeds of its own; the kernel spreads
 * connections over them. They are to each other what replicas are: nothing that a request needs is shared,
 * so nothing is waited for. The supervisor answers no request. It keeps what must be one: the
 * configuration's file and its list of stores, the sum of the figures, what stores last said of
 * themselves, which worker a store's ticket is of, and how many workers there are.
 *
 * A worker is starting, listening, ready, or gone. The first one starts alone: it finds the port (and
 * whether somebody else has it), or says why it can't start, in its own words and with its own exit code,
 * which are then those of the whole. From the first that listens on, one that ends is replaced, after a
 * pause that grows while it keeps ending; the new one listens only once it is ready. One that no longer
 * answers is killed first: probes reach whichever worker the kernel picks, and can't tell.
 *
 * An end: every worker is told to stop and drains as one process would; what hasn't listened yet, or
 * doesn't end in its time, is killed. If the supervisor itself is killed, the workers see their channel
 * end, and drain.
 *
 * Not node:cluster: it hands out connections, or one socket, from the parent, and here each process
 * listens by itself. Deliberately absent: shared caches, and a worker for each core by itself (a container's
 * share is not what the machine has).
 */
import { type ChildProcess, fork } from "node:child_process";
import type { Answer, FiguresRequest, FromWorker, Question, ToWorker, WholeState } from "./messages.ts";
import { createQuestions, type Questions } from "./questions.ts";

export { joinWorkers, type Member, type OwnAnswers, type Siblings } from "./member.ts";
export type { FiguresRequest, HeldTicket, WholeState, WorkerStart } from "./messages.ts";

/** Sums up. A process is known by a number that no other ever has. */
export interface WorkerFigures {
  /** Gives the sum. A text undefined: that process didn't answer. */
  sum(request: FiguresRequest, texts: ReadonlyMap<number, string | undefined>): Promise<string>;
  /** Takes how many workers there are in each state. */
  counted(workers: { readonly starting: number; readonly ready: number }): void;
  /** A process that should have gone on is gone; what it counted stays. */
  died(process: number): void;
}

/** What a supervisor is made with. `C`: the gateway's configuration, `S`: its list of stores. */
export interface SupervisorOptions<C> {
  /** At least 1. */
  readonly workers: number;
  readonly config: C;
  /** Starts a worker's process, which calls joinWorkers(). See forkWorker(). */
  readonly launch: (worker: number) => ChildProcess;
  readonly figures: WorkerFigures;
  /** How long a worker may take to end. */
  readonly stopTimeoutMs: number;
  /** Default: `defaultTimes`. */
  readonly times?: Partial<SupervisorTimes>;
  readonly log: {
    info(fields: object, message: string): void;
    error(fields: object, message: string): void;
  };
}

/** The workers, until none is left. */
export interface Supervisor<S> {
  /** Resolves with where they listen when each has been ready. */
  readonly ready: Promise<string>;
  /** Resolves with the exit code when none is left: after `stop`, or because the first one could not start. */
  readonly ended: Promise<number>;
  /** Gives all of them a new list of stores. */
  configureStores(stores: S): void;
  stop(): void;
}

/** Times in ms. */
export type SupervisorTimes = typeof defaultTimes;

/** Every time limit and its reason. */
export const defaultTimes = {
  /** Pauses before a worker that keeps ending: unnoticed at first, then no burden on the machine. */
  minBackoffMs: 100,
  maxBackoffMs: 10_000,
  /** A worker that was ready this long didn't end of its start: the next pause is short again. */
  soundAfterMs: 10_000,
  /** How often workers are asked if they are there. */
  beatMs: 5_000,
  /** How long a worker may take for its figures: far longer than a turn of a busy event loop, shorter than a scrape. */
  figuresMs: 2_000,
  /** How long one may take to look for a ticket: a store waits for it. */
  ticketMs: 1_000,
};

/** Beats without an answer after which a worker is hung: half a minute, as long as kubelet's probes would take. */
const maxMissedBeats = 6;

/** One process. */
interface Launched {
  /** No other process ever has it. */
  readonly id: number;
  readonly worker: number;
  readonly child: ChildProcess;
  readonly questions: Questions;
  state: "starting" | "listening" | "ready";
  readySince: number;
  missedBeats: number;
}

/** How a process ended: by itself, by a signal, or it never ran. */
interface WorkerEnd {
  readonly code?: number;
  readonly signal?: string | null;
  readonly err?: Error;
}

/** One of the workers, whichever process it is now. */
interface Slot {
  readonly worker: number;
  process: Launched | undefined;
  hasBeenReady: boolean;
  backoffMs: number;
  restart: NodeJS.Timeout | undefined;
}

/** Starts the workers. */
export function superviseWorkers<C, S>(options: SupervisorOptions<C>): Supervisor<S> {
  const { log, figures } = options;
  const times = { ...defaultTimes, ...options.times };
  const slots = Array.from({ length: options.workers }, (_, index): Slot => {
    return {
      worker: index + 1,
      process: undefined,
      hasBeenReady: false,
      backoffMs: times.minBackoffMs,
      restart: undefined,
    };
  });
  const ready = Promise.withResolvers<string>();
  const ended = Promise.withResolvers<number>();
  const descriptions = new Map<string, Uint8Array>();
  let place: { readonly url: string; readonly port: number } | undefined;
  let stores: S | undefined;
  let whole: WholeState = { isReady: false, isRegistered: false };
  let isStopping = false;
  let exitCode = 0;
  let lastId = 0;
  let cut: NodeJS.Timeout | undefined;
  // A way out that takes no time to stop: no worker must outlive us.
  const kill = () => {
    for (const { child } of running()) child.kill("SIGKILL");
  };
  process.once("exit", kill);
  const beat = setInterval(checkAll, times.beatMs);
  beat.unref();

  launch(slots[0] as Slot);

  function running(): Launched[] {
    return slots.flatMap(({ process }) => (process === undefined ? [] : [process]));
  }

  function launch(slot: Slot): void {
    const child = options.launch(slot.worker);
    const send = (message: ToWorker<C, S>) => sendTo(child, message);
    const launched: Launched = {
      id: ++lastId,
      worker: slot.worker,
      child,
      questions: createQuestions(send, (question) => answer(launched, question)),
      state: "starting",
      readySince: 0,
      missedBeats: 0,
    };
    slot.process = launched;
    child.on("message", (message: FromWorker) => take(slot, launched, message));
    // Before it ran there is no exit, and after an error there may be both.
    let isGone = false;
    const gone = (how: WorkerEnd) => {
      if (!isGone) leave(slot, launched, how);
      isGone = true;
    };
    child.once("error", (err) => gone({ err }));
    child.once("exit", (code, signal) => gone(code === null ? { signal } : { code }));
    count();
  }

  function take(slot: Slot, launched: Launched, message: FromWorker): void {
    if (message.kind === "hello") {
      const { config } = options;
      const { worker } = slot;
      const listensWhenReady = whole.isReady;
      const start = { config, stores, worker, port: place?.port, listensWhenReady, descriptions, whole };
      sendTo<C, S>(launched.child, { kind: "start", start });
    } else if (message.kind === "listening") {
      launched.state = "listening";
      if (place !== undefined) return;
      place = { url: message.url, port: message.port };
      if (!isStopping) for (const other of slots) if (other !== slot) launch(other);
    } else if (message.kind === "ready") becomeReady(slot, launched);
    else if (message.kind === "registered") become({ ...whole, isRegistered: true });
    else if (message.kind === "pong") launched.missedBeats = 0;
    else if (message.kind === "described") descriptions.set(message.store, message.description);
    else launched.questions.take(message);
  }

  function becomeReady(slot: Slot, launched: Launched): void {
    launched.state = "ready";
    launched.readySince = performance.now();
    log.info({ worker: slot.worker, pid: launched.child.pid }, "a worker is ready");
    slot.hasBeenReady = true;
    count();
    if (whole.isReady || !slots.every(({ hasBeenReady }) => hasBeenReady)) return;
    become({ ...whole, isReady: true });
    ready.resolve(place?.url ?? "");
  }

  function become(next: WholeState): void {
    whole = next;
    for (const { child } of running()) sendTo<C, S>(child, { kind: "whole", whole });
  }

  function leave(slot: Slot, launched: Launched, how: WorkerEnd): void {
    launched.questions.close();
    slot.process = undefined;
    // What was killed because it had not begun yet has lost nothing.
    const isKilled = isStopping && launched.state === "starting";
    if (isStopping || place === undefined) {
      if (!isKilled) exitCode = Math.max(exitCode, how.code ?? 1);
      // One that ends by itself has said why.
      if (!isStopping && how.code === undefined)
        log.error({ pid: launched.child.pid, ...how }, "the first worker did not come to listen");
      if (running().length === 0) finish();
      return;
    }
    figures.died(launched.id);
    if (launched.state === "ready" && performance.now() - launched.readySince > times.soundAfterMs)
      slot.backoffMs = times.minBackoffMs;
    const { worker, backoffMs } = slot;
    log.error({ worker, pid: launched.child.pid, ...how, inMs: backoffMs }, "a worker ended; another one is started");
    slot.restart = setTimeout(() => launch(slot), backoffMs);
    slot.backoffMs = Math.min(backoffMs * 2, times.maxBackoffMs);
    count();
  }

  function finish(): void {
    clearInterval(beat);
    clearTimeout(cut);
    process.off("exit", kill);
    ended.resolve(exitCode);
  }

  function count(): void {
    const all = running();
    const isReady = all.filter(({ state }) => state === "ready").length;
    figures.counted({ ready: isReady, starting: all.length - isReady });
  }

  function checkAll(): void {
    for (const launched of running()) {
      if (launched.state === "starting") continue;
      if (launched.missedBeats++ >= maxMissedBeats) {
        log.error({ worker: launched.worker, pid: launched.child.pid }, "a worker no longer answers; it is killed");
        launched.child.kill("SIGKILL");
      } else sendTo<C, S>(launched.child, { kind: "ping" });
    }
  }

  async function answer(from: Launched, question: Question): Promise<Answer> {
    return question.about === "figures" ? await wholeFigures(question.request) : await holderOf(from, question.ticket);
  }

  async function wholeFigures(request: FiguresRequest): Promise<string> {
    const texts = await Promise.all(
      running().map(async ({ id, questions }) => {
        const asked = questions.ask({ about: "figures", request }, times.figuresMs);
        // Who has not come so far, or is busy, is left out, and counted as such.
        return [id, (await asked.catch(() => undefined)) as string | undefined] as const;
      }),
    );
    return await figures.sum(request, new Map(texts));
  }

  async function holderOf(from: Launched, ticket: Uint8Array): Promise<Answer> {
    const others = running().filter((one) => one !== from && one.state !== "starting");
    const asked = others.map(({ questions }) => questions.ask({ about: "ticket", ticket }, times.ticketMs));
    const answers = await Promise.allSettled(asked);
    const found = answers.find((one) => one.status === "fulfilled" && one.value !== undefined);
    if (found?.status === "fulfilled") return found.value;
    const failed = answers.find((one) => one.status === "rejected");
    if (failed !== undefined) throw failed.reason;
    return undefined;
  }

  return {
    ready: ready.promise,
    ended: ended.promise,
    configureStores(next) {
      stores = next;
      for (const { child } of running()) sendTo<C, S>(child, { kind: "stores", stores: next });
    },
    stop() {
      isStopping = true;
      for (const { restart } of slots) clearTimeout(restart);
      const left = running();
      if (left.length === 0) return finish();
      for (const { child, state } of left) child.kill(state === "starting" ? "SIGKILL" : "SIGTERM");
      cut = setTimeout(kill, options.stopTimeoutMs);
    },
  };
}

/** Starts a worker's module as a process with a channel to this one. It writes its log to the same place. */
export function forkWorker(main: URL): (worker: number) => ChildProcess {
  return (worker) =>
    fork(main, [String(worker)], { serialization: "advanced", stdio: ["ignore", "ignore", "inherit", "ipc"] });
}

/** What ends meanwhile is told by its exit. */
function sendTo<C, S>(child: ChildProcess, message: ToWorker<C, S>): void {
  if (child.connected) child.send(message, () => {});
}
