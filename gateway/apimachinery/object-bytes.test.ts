import assert from "node:assert/strict";
import { test } from "node:test";
import { insertRevision } from "./object-bytes.ts";

const insert = (json: string) => insertRevision(Buffer.from(json), 7n).toString();

test("insertRevision() keeps keys sorted inside metadata", () => {
  assert.equal(
    insert('{"a":[1,{"b":"}"}],"metadata":{"name":"x\\"","uid":"u"},"z":1}'),
    '{"a":[1,{"b":"}"}],"metadata":{"name":"x\\"","resourceVersion":"7","uid":"u"},"z":1}',
  );
});

test("insertRevision() appends to metadata whose keys all come before", () => {
  assert.equal(
    insert('{"metadata":{"labels":{"zz":"1"},"name":"x"}}'),
    '{"metadata":{"labels":{"zz":"1"},"name":"x","resourceVersion":"7"}}',
  );
  assert.equal(insert('{"metadata":{}}'), '{"metadata":{"resourceVersion":"7"}}');
});

test("insertRevision() refuses bytes that hold no metadata object", () => {
  assert.throws(() => insert('{"kind":"x"}'), RangeError);
  assert.throws(() => insert('{"metadata":1}'), RangeError);
});
