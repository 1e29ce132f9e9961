import assert from "node:assert/strict";
import { test } from "node:test";
import { after, isPromise } from "./promise.ts";

test("after() goes on at once with an answer that is there, and waits for one that isn't", async () => {
  const double = (value: number) => value * 2;
  assert.equal(after(2, double), 4);
  assert.equal(await after(Promise.resolve(2), double), 4);
});

test("after() fails in the way of the answer: at once, or when it is waited for", async () => {
  const fail = () => {
    throw new Error("no");
  };
  assert.throws(() => after(1, fail), /no/);
  await assert.rejects(async () => await after(Promise.resolve(1), fail), /no/);
});

test("isPromise() takes anything that can be waited for, and nothing else", () => {
  // biome-ignore lint/suspicious/noThenProperty: what somebody else's promise looks like
  assert.equal(isPromise<unknown>({ then: () => {} }), true);
  for (const other of [undefined, null, 0, "", {}, []]) assert.equal(isPromise<unknown>(other), false);
});
