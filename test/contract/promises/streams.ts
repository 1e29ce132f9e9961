/** What is promised of streaming subresources: how they open, how each side ends them, and who waits for whom. */

import type { MessageInitShape } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import type { StreamRequestSchema, StreamResponse } from "../../../gen/annex/store/v1/action_pb.js";
import { SubresourceKind } from "../../../gen/annex/store/v1/catalog_pb.js";
import { type Kit, type Made, nameOf } from "../kit.ts";
import { hold, promisesOf, same } from "../promise.ts";

const verbs = promisesOf("verbs");
const streams = { verbs: "create get", action: "stream" } as const;
/** Offered to every stream: the protocols of remote commands, the newest first. */
const protocols = ["v5.channel.k8s.io", "v4.channel.k8s.io"];
/** Bytes of one frame. */
const maxDataBytes = 64 * 1024;
/** How long a promise waits for a frame, or the end. */
const patienceMs = 10_000;
/** Codes with which a stream may be refused. */
const refusals: readonly Code[] = [
  Code.NotFound,
  Code.InvalidArgument,
  Code.PermissionDenied,
  Code.ResourceExhausted,
  Code.Unavailable,
];

type Request = MessageInitShape<typeof StreamRequestSchema>;
type Frame = StreamResponse["frame"];

export const streamPromises = [
  verbs(
    "stream.accept",
    "A stream begins with its acceptance, by a subprotocol that was offered or none, or is refused.",
    streams,
    async (kit) => {
      for (const name of namesOf(kit)) {
        const stream = open(kit, await kit.make(1), name);
        if (!(await stream.isAccepted())) continue;
        const [first] = stream.frames;
        hold(first?.case === "accept", `the first frame is ${first?.case}`);
        const { subprotocol } = first.value;
        hold(subprotocol === "" || protocols.includes(subprotocol), `the subprotocol "${subprotocol}" was not offered`);
        stream.cancel();
      }
    },
  ),
  verbs("stream.not-open", "A stream whose first frame opens nothing is INVALID_ARGUMENT.", streams, async (kit) => {
    for (const name of namesOf(kit)) {
      const stream = open(kit, await kit.make(1), name, [{ frame: { case: "data", value: { channel: 0 } } }]);
      same(nameOf((await stream.over()).code), "INVALID_ARGUMENT", "the code");
    }
  }),
  verbs(
    "stream.undeclared",
    "A stream of a subresource that isn't declared is UNIMPLEMENTED.",
    streams,
    async (kit) => {
      const stream = open(kit, await kit.make(1), "nobodys");
      same(nameOf((await stream.over()).code), "UNIMPLEMENTED", "the code");
    },
  ),
  verbs(
    "stream.close",
    "A stream that its client has closed comes to its end, and the store's last word is close.",
    streams,
    async (kit) => {
      for (const name of namesOf(kit)) {
        const stream = open(kit, await kit.make(1), name);
        if (!(await stream.isAccepted())) continue;
        stream.send({ frame: { case: "data", value: { data: Buffer.from("hello\n") } } });
        stream.send({ frame: { case: "close", value: {} } });
        stream.end();
        const { code } = await stream.over();
        same(nameOf(code), "no error", "the code of the stream");
        same(stream.frames.at(-1)?.case, "close", "the last frame");
        same(stream.frames.filter((frame) => frame.case === "close").length, 1, "close frames");
      }
    },
  ),
  verbs(
    "stream.half-close",
    "A client that sends nothing more still reads: the stream breaks no earlier than its close.",
    streams,
    async (kit) => {
      for (const name of namesOf(kit)) {
        const stream = open(kit, await kit.make(1), name);
        if (!(await stream.isAccepted())) continue;
        const data = Buffer.alloc(maxDataBytes, "x");
        for (let count = 0; count < 8; count++) stream.send({ frame: { case: "data", value: { data } } });
        stream.send({ frame: { case: "data", value: { end: true } } });
        // Whether it says more is the store's to know: what it says comes whole, and it isn't broken.
        await Promise.race([stream.over(), later(500)]);
        same(nameOf(stream.ended?.code), "no error", "the code after the end of stdin");
        hold(stream.ended === undefined || stream.frames.at(-1)?.case === "close", "the stream ended without a close");
        const largest = Math.max(
          0,
          ...stream.frames.map((frame) => (frame.case === "data" ? frame.value.data.length : 0)),
        );
        hold(largest <= maxDataBytes, `a frame has ${largest} bytes of data`);
        const close = stream.frames.find((frame) => frame.case === "close");
        hold(close?.value.error === undefined, "the end of stdin is told as an error");
        stream.cancel();
      }
    },
  ),
  verbs(
    "stream.back-pressure",
    "A client that doesn't read holds up no other call and no other stream.",
    streams,
    async (kit) => {
      for (const name of namesOf(kit)) {
        const made = await kit.make(1);
        const slow = open(kit, made, name);
        if (!(await slow.isAccepted())) continue;
        slow.pause();
        const data = Buffer.alloc(16 * 1024, "x");
        for (let count = 0; count < 200; count++) slow.send({ frame: { case: "data", value: { data } } });
        for (let count = 0; count < 20; count++) await kit.get((await kit.make(count)).key);
        const other = open(kit, made, name);
        hold(await other.isAccepted(), "another stream isn't accepted");
        other.send({ frame: { case: "close", value: {} } });
        other.end();
        await other.over();
        slow.cancel();
      }
    },
  ),
  verbs(
    "stream.cancelled",
    "Streams that are cancelled leave other calls and later streams unharmed.",
    streams,
    async (kit) => {
      for (const name of namesOf(kit)) {
        const made = await kit.make(1);
        await Promise.all(
          Array.from({ length: 30 }, async (_, at) => {
            const stream = open(kit, made, name);
            if (at % 2 === 0) await stream.isAccepted();
            stream.cancel();
            await stream.over();
          }),
        );
        await kit.get(made.key);
        const stream = open(kit, made, name);
        const isAccepted = await stream.isAccepted();
        stream.cancel();
        hold(isAccepted || refusals.includes(stream.ended?.code as Code), "a later stream isn't accepted");
      }
    },
  ),
];

function namesOf(kit: Kit): readonly string[] {
  return kit.subject.resource.subresources
    .filter(({ kind }) => kind === SubresourceKind.STREAM)
    .map(({ name }) => name);
}

/** Opens a stream over a socket of its own, with `first` in the place of an open frame. */
function open(kit: Kit, made: Made, subresource: string, first?: readonly Request[]) {
  const frames: Frame[] = [];
  const sends: Request[] = [];
  const stop = new AbortController();
  const waiting = new Set<() => void>();
  let gate: Promise<void> = Promise.resolve();
  let isEnding = false;
  let ended: { readonly code: Code | undefined } | undefined;

  const wake = () => {
    for (const waiter of [...waiting]) waiter();
  };
  const woken = async (ms?: number) => {
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = ms === undefined ? undefined : setTimeout(resolve, ms);
    waiting.add(resolve);
    await promise;
    waiting.delete(resolve);
    clearTimeout(timer);
  };
  const until = async (isThere: () => boolean, what: string) => {
    const till = performance.now() + patienceMs;
    while (!isThere()) {
      hold(performance.now() < till, `${what} did not come within ${patienceMs / 1000} s`);
      await woken(till - performance.now() + 1);
    }
  };

  async function* requests(): AsyncGenerator<Request> {
    for (;;) {
      const next = sends.shift();
      if (next !== undefined) yield next;
      else if (isEnding || ended !== undefined) return;
      else await woken();
    }
  }

  async function read(): Promise<void> {
    let code: Code | undefined;
    try {
      for await (const { frame } of kit.socket().action.stream(requests(), { signal: stop.signal, timeoutMs: 0 })) {
        frames.push(frame);
        wake();
        await gate;
      }
    } catch (error) {
      code = ConnectError.from(error).code;
    }
    ended = { code };
    wake();
  }

  const { key, revision, uid, json } = made;
  const request = {
    context: kit.context(),
    resource: { ...made.about.ref, subresource },
    key,
    httpMethod: "GET",
    parent: { key, revision, uid, json },
  };
  sends.push(...(first ?? [{ frame: { case: "open" as const, value: { request, subprotocols: protocols } } }]));
  void read();
  return {
    frames,
    get ended() {
      return ended;
    },
    send(message: Request) {
      sends.push(message);
      wake();
    },
    /** Whether it was accepted. @throws Broken if it was neither accepted nor refused as the contract says. */
    async isAccepted(): Promise<boolean> {
      await until(() => frames.length > 0 || ended !== undefined, "the acceptance of a stream");
      if (frames.length > 0) return true;
      hold(
        ended?.code !== undefined && refusals.includes(ended.code),
        `a stream is refused with ${nameOf(ended?.code)}`,
      );
      return false;
    },
    /** Waits for the end. */
    async over(): Promise<{ readonly code: Code | undefined }> {
      await until(() => ended !== undefined, "the end of a stream");
      return ended ?? { code: undefined };
    },
    /** Reads nothing more. */
    pause() {
      gate = new Promise((resolve) => stop.signal.addEventListener("abort", () => resolve(), { once: true }));
    },
    /** Sends nothing more. */
    end() {
      isEnding = true;
      wake();
    },
    cancel() {
      isEnding = true;
      stop.abort();
      wake();
    },
  };
}

async function later(ms: number): Promise<void> {
  await new Promise<void>((resolve) => setTimeout(resolve, ms));
}
