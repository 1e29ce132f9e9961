import assert from "node:assert/strict";
import { test } from "node:test";
import { createFlowControl, tooManyAnswer } from "./flowcontrol.ts";

const path = "/apis/example.com/v1/things";
const read = { verb: "list", path, groups: [], isLongRunning: false };
const write = { verb: "create", path, groups: [], isLongRunning: false };

test("enter() counts reads and writes apart and frees their seats", () => {
  const flow = createFlowControl({ maxReadOnly: 1, maxMutating: 1 });
  const leave = flow.enter(read);
  assert.ok(leave);
  assert.equal(flow.enter({ ...read, verb: "get" }), undefined);
  assert.ok(flow.enter(write));
  assert.equal(flow.enter({ ...write, verb: "delete" }), undefined);
  leave();
  leave();
  assert.ok(flow.enter(read));
  assert.equal(flow.enter(read), undefined);
});

test("enter() asks no seat of system:masters nor of long-running requests", () => {
  const flow = createFlowControl({ maxReadOnly: 0, maxMutating: 0 });
  assert.ok(flow.enter({ ...write, groups: ["system:masters"] }));
  assert.ok(flow.enter({ ...read, verb: "watch", isLongRunning: true }));
  assert.equal(flow.enter(read), undefined);
});

test("enter() asks no seat of probes", () => {
  const flow = createFlowControl({ maxReadOnly: 0, maxMutating: 0 });
  for (const probe of ["/healthz", "/livez", "/readyz"]) {
    assert.ok(flow.enter({ ...read, verb: "get", path: probe }), probe);
    assert.equal(flow.enter({ ...write, verb: "post", path: probe }), undefined, probe);
  }
  for (const other of ["/apis", "/metrics", "/readyz/ping"]) {
    assert.equal(flow.enter({ ...read, verb: "get", path: other }), undefined, other);
  }
});

test("enter() seats system:masters while there are seats, and lets them in when there are none", () => {
  const flow = createFlowControl({ maxReadOnly: 1, maxMutating: 1 });
  const admin = { ...read, groups: ["system:masters"] };
  const leave = flow.enter(admin);
  assert.equal(flow.enter(read), undefined);
  const more = flow.enter(admin);
  more?.();
  assert.equal(flow.enter(read), undefined);
  leave?.();
  assert.ok(flow.enter(read));
});

test("tooManyAnswer() is kube-apiserver's", () => {
  const answer = tooManyAnswer();
  assert.equal(answer.status, 429);
  assert.deepEqual(answer.headers, {
    "Content-Type": "text/plain; charset=utf-8",
    "X-Content-Type-Options": "nosniff",
    "Retry-After": "1",
  });
  assert.equal(String(answer.body), "Too many requests, please try again later.\n");
});

test("enter() tells how many seats of a kind are taken, whenever that changes", () => {
  const told: string[] = [];
  const flow = createFlowControl({ maxReadOnly: 2, maxMutating: 1 }, (kind, taken) => told.push(`${kind} ${taken}`));
  const leave = flow.enter(read);
  flow.enter(read);
  flow.enter(read);
  flow.enter(write);
  flow.enter({ ...write, groups: ["system:masters"] });
  leave?.();
  leave?.();
  assert.deepEqual(told, ["readOnly 1", "readOnly 2", "mutating 1", "readOnly 1"]);
});
