import assert from "node:assert/strict";
import { test } from "node:test";
import { type Answer, answerReader } from "./answer-reader.ts";

const stream = [
  "HTTP/1.1 200 OK\r\nContent-Type: a\r\nContent-Length: 5\r\n\r\nhello",
  "HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\na\r\n0123456789\r\n0\r\n\r\n",
  "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
].join("");

test("answerReader() finds the same answers wherever the stream is cut", () => {
  for (let size = 1; size <= stream.length; size++) {
    const answers: Answer[] = [];
    const read = answerReader((answer) => answers.push(answer));
    for (let at = 0; at < stream.length; at += size) read(Buffer.from(stream.slice(at, at + size)));
    assert.deepEqual(answers, [
      { status: 200, start: "hello", end: "hello", bytes: 5 },
      { status: 201, start: "abc0123456789", end: "abc0123456789", bytes: 13 },
      { status: 200, start: "", end: "", bytes: 0 },
    ]);
  }
});

test("answerReader() refuses what says neither its length nor that it is chunked", () => {
  assert.throws(() => answerReader(() => {})(Buffer.from("HTTP/1.1 200 OK\r\n\r\n")), /no answer/);
});
