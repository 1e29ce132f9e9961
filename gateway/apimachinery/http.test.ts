import assert from "node:assert/strict";
import { test } from "node:test";
import { withSignalOf } from "./http.ts";

test("withSignalOf() asks for a signal when somebody does, and whoever copies the object has it", () => {
  let asked = 0;
  const { signal } = new AbortController();
  const owner = {
    get signal() {
      asked++;
      return signal;
    },
  };
  const object = withSignalOf(withSignalOf({ name: "a" }, owner), owner);
  assert.equal(asked, 0);
  for (const copy of [object, { ...object }, { ...{ ...object } }, Object.create(object)]) {
    assert.equal(copy.signal, signal);
  }
  assert.equal(withSignalOf({}, object).signal, signal);
});
