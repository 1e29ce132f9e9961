/**
 * Writers, a reader and watchers that go on whatever happens to the store, as a gateway does: a write
 * whose outcome nobody knows is looked up, a watch that broke resumes after what it has told.
 */
import { setTimeout as pause } from "node:timers/promises";
import { type Client, Code, ConnectError, createClient } from "@connectrpc/connect";
import { StoreService } from "../../gen/annex/store/v1/store_pb.js";
import type { Key, Kit } from "./kit.ts";
import { Broken, hold } from "./promise.ts";

/** What a workload came to. */
export interface WorkloadEnd {
  /** Writes that were acknowledged. */
  readonly acknowledged: number;
  /** Calls that failed because the store could not be reached. */
  readonly unreached: number;
  /** Times a watch began again. */
  readonly resumes: number;
}

/** How a workload runs. */
export interface WorkloadOptions {
  /** Where the store is reached, through a proxy; more than one: replicas. */
  readonly addresses: () => readonly string[];
  /** What happens to the store meanwhile; the workload ends a moment after it. */
  readonly nemesis: () => Promise<void>;
}

const writers = 5;
const watchers = 2;
/** Longest time for a call: a paused store is given up and asked again. */
const callMs = 1_500;
/** Pause before a call is tried again, as a gateway's back-off. */
const backoffMs = 40;
/** Codes after which nobody knows what a call has done. */
const unreachable: ReadonlySet<Code> = new Set([
  Code.Unavailable,
  Code.DeadlineExceeded,
  Code.Canceled,
  Code.Internal,
  Code.Unknown,
  Code.Aborted,
]);
/** Acknowledged writes of which a history tells something: a busy machine needs more time for them than the nemesis takes. */
export const enough = 20;
/** How long the store may take to be well again. */
const recoveryMs = 20_000;

type Store = Client<typeof StoreService>;

/** Runs the workload until the nemesis is over and the store is well again. */
export async function runWorkload(kit: Kit, { addresses, nemesis }: WorkloadOptions): Promise<WorkloadEnd> {
  const stop = new AbortController();
  const counts = { acknowledged: 0, unreached: 0, resumes: 0 };
  const clients = new Map<string, Store>();
  let turn = 0;

  function store(): Store {
    const list = addresses();
    const address = list[turn++ % list.length] ?? "";
    const known = clients.get(address);
    if (known !== undefined) return known;
    const client = createClient(StoreService, kit.dial("grpc", address).transport);
    clients.set(address, client);
    return client;
  }

  /** Tries a call until it says something definite. Gives undefined if its outcome isn't known. */
  async function attempt<T>(call: (one: Store) => Promise<T>): Promise<T | Code | undefined> {
    try {
      return await call(store());
    } catch (error) {
      const { code } = ConnectError.from(error);
      if (!unreachable.has(code) || code === Code.Aborted) return code;
      counts.unreached += 1;
      await pause(backoffMs);
      return undefined;
    }
  }

  const options = { timeoutMs: callMs };
  const { ref: resource } = kit.subject;

  /** The object's revision of now; 0: it isn't there. */
  async function lookUp(key: Key): Promise<bigint> {
    const until = performance.now() + recoveryMs;
    for (;;) {
      const found = await attempt((one) => one.get({ context: kit.context(), resource, key }, options));
      if (typeof found === "object") return found.object?.revision ?? 0n;
      if (found === Code.NotFound) return 0n;
      if (performance.now() > until)
        throw new Broken(`the store can't be read ${recoveryMs / 1000} s after it was disturbed`);
    }
  }

  async function write(writer: number): Promise<void> {
    for (let count = 0; !stop.signal.aborted; count++) {
      const key = kit.key(`w${writer}-${count % 7}`);
      const revision = await lookUp(key);
      const object = { key, uid: `u-${writer}-${count % 7}`, json: kit.json(key, { writer, count }) };
      const context = kit.context();
      const preconditions = { revision };
      const written = await attempt(async (one) => {
        if (revision === 0n) return await one.create({ context, resource, object }, options);
        if (count % 5 === 4 && kit.subject.can("delete"))
          return await one.delete({ context, resource, key, preconditions }, options);
        return await one.update({ context, resource, object, preconditions }, options);
      });
      if (typeof written === "object") counts.acknowledged += 1;
    }
  }

  async function read(): Promise<void> {
    while (!stop.signal.aborted) {
      await attempt(async (one) => {
        for await (const _ of one.list({ context: kit.context(), resource, namespace: kit.namespace() }, options));
        return {};
      });
      await attempt((one) => one.currentRevision({ context: kit.context(), resource }, options));
      await pause(20);
    }
  }

  /** Follows the collection; gives the revision that it has come to when it is told to end there. */
  async function follow(until: () => bigint | undefined): Promise<void> {
    let after: bigint | undefined;
    let epoch = "";
    const isDone = () => {
      const end = until();
      return end !== undefined && after !== undefined && after >= end;
    };
    const deadline = () => stop.signal.aborted && performance.now() > (stopped ?? 0) + recoveryMs;
    while (!isDone()) {
      if (deadline())
        throw new Broken(
          `a watch has come to ${after}, and not to ${until()}, ${recoveryMs / 1000} s after the store was disturbed`,
        );
      const cancel = new AbortController();
      const start =
        after === undefined ? { case: "now" as const, value: {} } : { case: "after" as const, value: after };
      try {
        const request = {
          context: kit.context(),
          resource,
          start,
          epoch,
          previous: kit.subject.has("PREVIOUS_OBJECT"),
          progressEveryMs: 100,
        };
        for await (const { frame } of store().watch(request, { signal: cancel.signal, timeoutMs: 2 * callMs })) {
          if (frame.case === "started" || frame.case === "progress") {
            after = later(after, frame.value.mark?.revision);
            epoch = frame.value.mark?.epoch ?? epoch;
          }
          if (frame.case === "events") after = later(after, frame.value.events.at(-1)?.object?.revision);
          if (frame.case === "expired") {
            hold(
              frame.value.mark?.epoch !== epoch,
              `a watch that resumes at ${after} in the same epoch expired: ${frame.value.reason}`,
            );
            after = undefined;
            epoch = "";
          }
          if (isDone()) break;
        }
      } catch (error) {
        if (error instanceof Broken) throw error;
        if (ConnectError.from(error).code === Code.OutOfRange) {
          after = undefined;
          epoch = "";
        }
      } finally {
        cancel.abort();
      }
      counts.resumes += 1;
      await pause(backoffMs);
    }
  }

  let end: bigint | undefined;
  let stopped: number | undefined;
  const working = [...Array.from({ length: writers }, (_, writer) => write(writer)), read()];
  const following = Array.from({ length: watchers }, () => follow(() => end));
  const all = Promise.all([...working, ...following]);
  all.catch(() => stop.abort());
  try {
    await Promise.race([nemesis(), all]);
    await pause(300);
    for (const until = performance.now() + recoveryMs; counts.acknowledged < enough && performance.now() < until; )
      await Promise.race([pause(backoffMs), all]);
    stop.abort();
    stopped = performance.now();
    await Promise.all(working);
    // A last write: whoever has come to it has seen everything before.
    const key = kit.key("last");
    for (;;) {
      const written = await attempt((one) =>
        one.create(
          { context: kit.context(), resource, object: { key, uid: "last", json: kit.json(key, "last") } },
          options,
        ),
      );
      if (typeof written === "object") {
        end = written.object?.revision ?? 0n;
        break;
      }
      const present = await lookUp(key);
      if (present > 0n) {
        end = present;
        break;
      }
    }
    await all;
    return counts;
  } finally {
    stop.abort();
    end ??= 0n;
  }
}

function later(a: bigint | undefined, b: bigint | undefined): bigint | undefined {
  if (a === undefined || b === undefined) return b ?? a;
  return a > b ? a : b;
}
