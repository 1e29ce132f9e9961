import assert from "node:assert/strict";
import { test } from "node:test";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import fc from "fast-check";
import { OpenRequestSchema, type SessionFrame, SessionRequestSchema } from "../../gen/annex/store/v1/session_pb.js";
import type { Encoded } from "./codec.ts";
import { createMessageReader } from "./grpc-messages.ts";
import { type FirstFrame, partBytes, SessionOutbox, type SessionWire } from "./session-outbox.ts";

/** Takes batches when it is asked to, as a stream that is slow. */
class SlowWire implements SessionWire {
  readonly batches: Buffer[] = [];
  isEnded = false;
  #done: (() => void) | undefined;
  write(batch: Buffer, done: () => void): void {
    assert.equal(this.#done, undefined, "one write at a time");
    this.batches.push(batch);
    this.#done = done;
  }
  end(): void {
    assert.equal(this.isEnded, false);
    this.isEnded = true;
  }
  /** Takes what there is now. @returns the frames of each batch. */
  async drain(): Promise<SessionFrame[][]> {
    await new Promise((resolve) => setImmediate(resolve));
    for (let done = this.#done; done !== undefined; done = this.#done) {
      this.#done = undefined;
      done();
    }
    return this.batches.splice(0).map(framesOf);
  }
}

function framesOf(batch: Buffer): SessionFrame[] {
  const messages: Uint8Array[] = [];
  createMessageReader(batch.length, (message) => messages.push(message))(batch);
  assert.equal(messages.length, 1);
  return fromBinary(OpenRequestSchema, messages[0] as Uint8Array).frames;
}

function first(call: number): FirstFrame {
  const request = create(SessionRequestSchema, { method: "a.B/C", timeoutMs: call % 1_000 });
  return { field: 3, head: toBinary(SessionRequestSchema, request) };
}

function bodyOf({ call, frame }: SessionFrame): { data: Uint8Array; more: boolean } {
  if (frame.case === "chunk") return frame.value;
  assert.ok(frame.case === "request");
  assert.deepEqual([frame.value.method, frame.value.timeoutMs], ["a.B/C", Number(call % 1_000n)]);
  return frame.value.message ?? { data: new Uint8Array(), more: false };
}

/** A message in so many chunks more than one. */
function cut(bytes: Buffer, cuts = 0): Encoded {
  const at = Math.floor(bytes.length / (cuts + 1));
  if (cuts === 0) return { chunks: [bytes], length: bytes.length };
  return { chunks: [bytes.subarray(0, at), ...cut(bytes.subarray(at), cuts - 1).chunks], length: bytes.length };
}

const message = fc.record({
  size: fc.oneof(fc.nat(300), fc.nat(5 * partBytes), fc.constantFrom(partBytes - 1, partBytes, partBytes + 1)),
  call: fc.oneof(fc.integer({ min: 1, max: 200 }), fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER })),
});

test("SessionOutbox sends every message whole, in frames that any protobuf reads, within its credit", async () => {
  const script = fc.record({
    messages: fc.uniqueArray(message, { maxLength: 12, selector: ({ call }) => call }),
    credit: fc.nat(3 * partBytes),
    credits: fc.array(fc.nat(2 * partBytes), { maxLength: 5 }),
  });
  await fc.assert(
    fc.asyncProperty(script, async ({ messages, credit, credits }) => {
      const wire = new SlowWire();
      const outbox = new SessionOutbox(credit, wire);
      const sent = new Map(messages.map(({ size, call }) => [call, Buffer.alloc(size, call % 251)]));
      const got = new Map<number, { parts: Uint8Array[]; isWhole: boolean }>();
      for (const [call, bytes] of sent) outbox.sendMessage(call, cut(bytes, call % 3), first(call));
      let allowed = credit;
      const take = async () => {
        for (const frames of await wire.drain()) {
          const isLater = ({ frame }: SessionFrame) => frame.case === "chunk";
          assert.ok(frames.filter(isLater).length <= 1, "one later part a batch");
          for (const frame of frames) {
            const { data, more } = bodyOf(frame);
            const call = got.get(Number(frame.call)) ?? { parts: [], isWhole: false };
            assert.equal(call.parts.length > 0, isLater(frame));
            assert.equal(call.isWhole, false);
            assert.ok(data.length <= partBytes);
            allowed -= data.length;
            got.set(Number(frame.call), { parts: [...call.parts, data], isWhole: !more });
          }
        }
        assert.ok(allowed >= 0);
      };
      await take();
      for (const more of [...credits, 12 * 5 * partBytes]) {
        outbox.addCredit(more);
        allowed += more;
        await take();
      }
      assert.equal(outbox.waitingBytes, 0);
      assert.equal(got.size, sent.size);
      for (const [call, { parts, isWhole }] of got) {
        assert.ok(isWhole);
        assert.ok(Buffer.concat(parts).equals(sent.get(call) as Buffer));
      }
    }),
    { numRuns: 60 },
  );
});

test("SessionOutbox lets a small message wait for one part of a large one", async () => {
  const wire = new SlowWire();
  const outbox = new SessionOutbox(2 ** 30, wire);
  outbox.sendMessage(1, cut(Buffer.alloc(20 * partBytes)), first(1));
  await new Promise((resolve) => setImmediate(resolve));
  outbox.sendMessage(2, cut(Buffer.alloc(100)), first(2));
  const batches = await wire.drain();
  assert.deepEqual(
    batches.slice(0, 2).map((frames) => frames.map(({ call }) => Number(call))),
    [[1], [2, 1]],
  );
});

test("SessionOutbox forgets what is dropped, and says whether any of it had left", async () => {
  const wire = new SlowWire();
  const outbox = new SessionOutbox(partBytes, wire);
  for (const call of [1, 2]) outbox.sendMessage(call, cut(Buffer.alloc(2 * partBytes)), first(call));
  await wire.drain();
  assert.deepEqual([outbox.drop(1), outbox.drop(2), outbox.drop(3)], [false, true, false]);
  assert.equal(outbox.waitingBytes, 0);
  outbox.addCredit(8 * partBytes);
  assert.deepEqual(await wire.drain(), []);
});

test("SessionOutbox ends after what can be sent, once", async () => {
  const wire = new SlowWire();
  const outbox = new SessionOutbox(0, wire);
  outbox.send(7, { case: "cancel", value: { $typeName: "annex.store.v1.SessionCancel" } });
  outbox.end();
  const batches = await wire.drain();
  assert.deepEqual(
    batches.flat().map(({ call, frame }) => [call, frame.case]),
    [[7n, "cancel"]],
  );
  outbox.end();
  await wire.drain();
  assert.ok(wire.isEnded);
});
