import assert from "node:assert/strict";
import { test } from "node:test";
import { markFinder } from "./watch-reader.ts";

test("markFinder() finds each mark once, wherever the stream is cut", () => {
  const stream = '{"a":"@12@xx","b":"c"}\n{"a":"@345@xx"}\n{"a":""}\n{"a":"@6@"}\n';
  for (let size = 1; size <= stream.length; size++) {
    const marks: number[] = [];
    const find = markFinder((micros) => marks.push(micros));
    for (let at = 0; at < stream.length; at += size) find(Buffer.from(stream.slice(at, at + size)));
    assert.deepEqual(marks, [12, 345, 6], `in pieces of ${size}`);
  }
});
