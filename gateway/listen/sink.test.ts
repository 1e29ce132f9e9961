import assert from "node:assert/strict";
import { IncomingMessage, ServerResponse } from "node:http";
import { Socket } from "node:net";
import { test } from "node:test";
import type { RawReply } from "./http-request.ts";
import { ReplySink } from "./sink.ts";

/** A reply whose head is out, and what is written from then on: to its connection, or to itself over HTTP/2. */
function openReply(protocol: "1.1" | "2.0"): { readonly reply: RawReply; readonly writes: Uint8Array[] } {
  const writes: Uint8Array[] = [];
  const write = (bytes: Uint8Array) => {
    writes.push(bytes);
    return true;
  };
  if (protocol === "2.0") return { reply: { write } as unknown as RawReply, writes };
  const socket = new Socket();
  const request = new IncomingMessage(socket);
  Object.assign(request, { httpVersionMajor: 1, httpVersionMinor: 1 });
  const reply = new ServerResponse(request);
  socket.write = write;
  reply.assignSocket(socket);
  reply.flushHeaders();
  writes.length = 0;
  return { reply, writes };
}

for (const protocol of ["1.1", "2.0"] as const) {
  test(`ReplySink over HTTP/${protocol} writes several frames at once, and the same bytes to all who get them`, () => {
    const replies = Array.from({ length: 3 }, () => openReply(protocol));
    const sinks = replies.map(({ reply }) => new ReplySink(reply, () => {}));
    const frames = Array.from({ length: 5 }, (_, at) => Buffer.from(`frame ${at}\n`));
    // The same frames in an array of each sink's own: so they come from watches that chose differently.
    for (const sink of sinks) sink.write([...frames]);
    const [written] = replies[0]?.writes ?? [];
    assert.ok(written !== undefined);
    const text = frames.join("");
    assert.equal(String(written), protocol === "1.1" ? `${text.length.toString(16)}\r\n${text}\r\n` : text);
    for (const { writes } of replies) assert.ok(writes.length === 1 && writes[0] === written);
  });
}
