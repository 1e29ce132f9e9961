import assert from "node:assert/strict";
import type { ChildProcess } from "node:child_process";
import { EventEmitter } from "node:events";
import { test } from "node:test";
import { setImmediate } from "node:timers/promises";
import type { FromWorker, HeldTicket, Question, ToWorker } from "./messages.ts";
import { type SupervisorTimes, superviseWorkers } from "./workers.ts";

type Told = ToWorker<{ port: number }, readonly string[]>;

/** A process that does what the test says. */
class FakeChild extends EventEmitter {
  readonly told: Told[] = [];
  readonly killed: string[] = [];
  connected = true;
  readonly pid: number;
  /** What it answers to a question; undefined: it doesn't. */
  answer: ((question: Question) => Extract<FromWorker, { kind: "answer" }>["answer"]) | undefined;

  constructor(pid: number) {
    super();
    this.pid = pid;
  }

  send(message: Told, sent: (error: Error | null) => void): boolean {
    this.told.push(message);
    if (message.kind === "question" && this.answer !== undefined)
      this.say({ kind: "answer", id: message.id, answer: this.answer(message.question) });
    sent(null);
    return true;
  }

  kill(signal: string): boolean {
    this.killed.push(signal);
    return true;
  }

  say(message: FromWorker): void {
    this.emit("message", message);
  }

  /** Comes as far as told. */
  come(...kinds: readonly ("hello" | "listening" | "ready")[]): void {
    for (const kind of kinds) {
      if (kind === "listening") this.say({ kind, url: "https://host:1234", port: 1234 });
      else this.say({ kind });
    }
  }

  end(code: number | null, signal: string | null = null): void {
    this.connected = false;
    this.emit("exit", code, signal);
  }

  start() {
    const found = this.told.find((message) => message.kind === "start");
    assert.ok(found?.kind === "start");
    return found.start;
  }
}

function supervise(workers: number, times: Partial<SupervisorTimes> = {}) {
  const children: FakeChild[] = [];
  const launched: number[] = [];
  const logged: { readonly fields: Record<string, unknown>; readonly message: string }[] = [];
  const sums: (readonly [number, string | undefined][])[] = [];
  const died: number[] = [];
  const log = (fields: object, message: string) => void logged.push({ fields: { ...fields }, message });
  const supervisor = superviseWorkers<{ port: number }, readonly string[]>({
    workers,
    config: { port: 0 },
    launch(worker) {
      launched.push(worker);
      const child = new FakeChild(1000 + children.length);
      children.push(child);
      return child as unknown as ChildProcess;
    },
    figures: {
      async sum(_request, texts) {
        sums.push([...texts]);
        return `${texts.size} texts`;
      },
      counted: () => {},
      died: (process) => void died.push(process),
    },
    stopTimeoutMs: 20,
    times: { minBackoffMs: 0, maxBackoffMs: 0, figuresMs: 20, ticketMs: 20, ...times },
    log: { info: log, error: log },
  });
  const child = (index: number) => children[index] as FakeChild;
  const launchedNow = async (count: number) => {
    while (children.length < count) await setImmediate();
    return child(count - 1);
  };
  return { supervisor, children, child, launched, launchedNow, logged, sums, died };
}

/** Two that are ready. */
function both(times?: Partial<SupervisorTimes>) {
  const made = supervise(2, times);
  made.child(0).come("hello", "listening");
  made.child(1).come("hello", "listening");
  for (const one of made.children) one.come("ready");
  return made;
}

/** The answers that a worker has had. */
const answersOf = (child: FakeChild) => child.told.filter((message) => message.kind === "answer");

test("the first worker starts alone and takes the port, the others join it there", async () => {
  const { supervisor, children, child, launched } = supervise(3);
  assert.deepEqual(launched, [1]);
  child(0).come("hello");
  const { port, worker, listensWhenReady } = child(0).start();
  assert.deepEqual({ port, worker, listensWhenReady }, { port: undefined, worker: 1, listensWhenReady: false });
  child(0).come("listening");
  assert.deepEqual(launched, [1, 2, 3]);
  for (const other of children.slice(1)) {
    other.come("hello", "listening");
    assert.equal(other.start().port, 1234);
  }
  let isReady = false;
  void supervisor.ready.then(() => {
    isReady = true;
  });
  for (const one of children.slice(0, 2)) one.come("ready");
  await setImmediate();
  assert.equal(isReady, false);
  child(2).come("ready");
  assert.equal(await supervisor.ready, "https://host:1234");
  for (const one of children) {
    const whole = { isReady: true, isRegistered: false };
    assert.deepEqual(one.told.at(-1), { kind: "whole", whole });
  }
});

test("a first worker that can't start ends the whole with its exit code, and nothing more is said", async () => {
  const { supervisor, child, launched, logged } = supervise(2);
  child(0).come("hello");
  child(0).end(2);
  assert.equal(await supervisor.ended, 2);
  assert.deepEqual(launched, [1]);
  assert.deepEqual(logged, []);
});

test("a first worker that is killed, or never ran, can't say so itself", async () => {
  for (const end of [
    (one: FakeChild) => one.end(null, "SIGKILL"),
    (one: FakeChild) => one.emit("error", new Error("no")),
  ]) {
    const { supervisor, child, logged } = supervise(2);
    end(child(0));
    assert.equal(await supervisor.ended, 1);
    assert.deepEqual(
      logged.map(({ message }) => message),
      ["the first worker did not come to listen"],
    );
  }
});

test("a worker that ends is replaced, knows what the others know, and listens only once it is ready", async () => {
  const { supervisor, child, launched, launchedNow, logged, died } = both();
  const description = Buffer.from("what it serves");
  child(0).say({ kind: "described", store: "s", description });
  child(0).say({ kind: "registered" });
  supervisor.configureStores(["s", "t"]);
  assert.deepEqual(child(1).told.at(-1), { kind: "stores", stores: ["s", "t"] });
  child(1).end(null, "SIGKILL");
  assert.deepEqual(logged.at(-1), {
    message: "a worker ended; another one is started",
    fields: { worker: 2, pid: 1001, signal: "SIGKILL", inMs: 0 },
  });
  const next = await launchedNow(3);
  assert.deepEqual(launched, [1, 2, 2]);
  assert.deepEqual(died, [2]);
  next.come("hello");
  const { config, ...start } = next.start();
  assert.deepEqual(start, {
    ...{ worker: 2, port: 1234, stores: ["s", "t"], listensWhenReady: true },
    descriptions: new Map([["s", description]]),
    whole: { isReady: true, isRegistered: true },
  });
  next.come("listening", "ready");
  assert.deepEqual(logged.at(-1), { message: "a worker is ready", fields: { worker: 2, pid: 1002 } });
});

test("the pause before a worker that keeps ending grows, and is short again for one that was sound", async () => {
  const { child, launchedNow, logged } = both({ minBackoffMs: 1, maxBackoffMs: 3, soundAfterMs: 0 });
  const pauses = () => logged.flatMap(({ fields }) => ("inMs" in fields ? [fields["inMs"]] : []));
  child(1).end(1);
  for (let count = 3; count < 6; count++) (await launchedNow(count)).end(1);
  assert.deepEqual(pauses(), [1, 2, 3, 3]);
  const sound = await launchedNow(6);
  sound.come("hello", "listening", "ready");
  await new Promise<void>((resolve) => setTimeout(resolve, 2));
  sound.end(1);
  assert.equal(pauses().at(-1), 1);
});

test("stop() has all of them drain, kills what has not begun or takes too long, and gives the worst exit code", async () => {
  const { supervisor, children, child, launched } = supervise(3);
  child(0).come("hello", "listening");
  child(1).come("hello", "listening");
  supervisor.stop();
  assert.deepEqual(
    children.map(({ killed }) => killed),
    [["SIGTERM"], ["SIGTERM"], ["SIGKILL"]],
  );
  child(2).end(null, "SIGKILL");
  child(0).end(0);
  while (child(1).killed.length < 2) await setImmediate();
  assert.deepEqual(child(1).killed, ["SIGTERM", "SIGKILL"]);
  child(1).end(null, "SIGKILL");
  assert.equal(await supervisor.ended, 1);
  assert.deepEqual(launched, [1, 2, 3]);

  const fine = both();
  fine.child(1).end(1);
  fine.supervisor.stop();
  fine.child(0).end(0);
  assert.equal(await fine.supervisor.ended, 0);
  await setImmediate();
  assert.equal(fine.children.length, 2);
});

test("stop() while the first one starts is no failure", async () => {
  const { supervisor, child } = supervise(2);
  child(0).come("hello");
  supervisor.stop();
  child(0).end(null, "SIGKILL");
  assert.equal(await supervisor.ended, 0);
});

test("a worker that no longer answers is killed, one that does is not", async () => {
  const { supervisor, children, child } = both({ beatMs: 1 });
  const [deaf, fine] = [child(0), child(1)];
  fine.send = (message: Told) => {
    if (message.kind === "ping") fine.say({ kind: "pong" });
    return true;
  };
  while (deaf.killed.length === 0) await new Promise<void>((resolve) => setTimeout(resolve, 1));
  assert.deepEqual(deaf.killed[0], "SIGKILL");
  assert.deepEqual(fine.killed, []);
  supervisor.stop();
  for (const one of children) one.end(0);
  await supervisor.ended;
});

test("figures are asked of all; who doesn't answer in time is said not to have", async () => {
  const { child, sums } = both();
  const request = { method: "GET", path: "/metrics" };
  child(0).answer = ({ about }) => (about === "figures" ? "mine" : undefined);
  child(0).say({ kind: "question", id: 7, question: { about: "figures", request } });
  while (answersOf(child(0)).length === 0) await setImmediate();
  assert.deepEqual(sums, [
    [
      [1, "mine"],
      [2, undefined],
    ],
  ]);
  assert.deepEqual(answersOf(child(0)), [{ kind: "answer", id: 7, answer: "2 texts" }]);
});

test("a ticket is looked for at all others; whoever can't be asked may have had it", async () => {
  const { child } = both();
  const question: Question = { about: "ticket", ticket: Buffer.from("t") };
  const held: HeldTicket = {
    ...{ store: "s", requestId: "r", object: undefined },
    user: { name: "ann", uid: "", groups: [], extra: {} },
  };
  const ask = async (id: number) => {
    child(0).say({ kind: "question", id, question });
    while (answersOf(child(0)).length < id) await setImmediate();
    return answersOf(child(0)).at(-1);
  };
  child(1).answer = ({ about }) => (about === "ticket" ? held : undefined);
  assert.deepEqual(await ask(1), { kind: "answer", id: 1, answer: held });
  child(1).answer = () => undefined;
  assert.deepEqual(await ask(2), { kind: "answer", id: 2, answer: undefined });
  child(1).answer = undefined;
  assert.deepEqual(await ask(3), { kind: "answer", id: 3, answer: undefined, failed: "no answer after 20 ms" });
});
