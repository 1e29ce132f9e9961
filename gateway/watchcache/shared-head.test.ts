import assert from "node:assert/strict";
import { test } from "node:test";
import { createSharedHead } from "./shared-head.ts";

/** A store whose calls are answered when the test says so. */
function heldStore() {
  const answers: ((revision: bigint) => void)[] = [];
  const failures: ((error: Error) => void)[] = [];
  const ask = () =>
    new Promise<{ revision: bigint; lastChange: bigint | undefined }>((resolve, reject) => {
      answers.push((revision) => resolve({ revision, lastChange: undefined }));
      failures.push(reject);
    });
  return { ask, answers, failures };
}

const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

test("createSharedHead() gives an answer only to those who asked before its call began", async () => {
  const { ask, answers } = heldStore();
  const head = createSharedHead(ask);
  const first = [head(), head()];
  await turn();
  assert.equal(answers.length, 1);
  const later = [head(), head(), head()];
  await turn();
  assert.equal(answers.length, 1);
  answers[0]?.(5n);
  assert.deepEqual(
    (await Promise.all(first)).map(({ revision }) => revision),
    [5n, 5n],
  );
  await turn();
  assert.equal(answers.length, 2);
  answers[1]?.(6n);
  assert.deepEqual(
    (await Promise.all(later)).map(({ revision }) => revision),
    [6n, 6n, 6n],
  );
});

test("createSharedHead() tells a failure to those who shared the call, and asks again for the next", async () => {
  const { ask, answers, failures } = heldStore();
  const head = createSharedHead(ask);
  const failed = head();
  await turn();
  const next = head();
  failures[0]?.(new Error("away"));
  await assert.rejects(failed, /away/);
  await turn();
  answers[1]?.(7n);
  assert.equal((await next).revision, 7n);
});
