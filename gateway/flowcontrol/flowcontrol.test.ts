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

test("enter() leaves seats to others than a store that gives none back", () => {
  const flow = createFlowControl({ maxReadOnly: 70, maxMutating: 4 });
  const taken = (store: string | undefined) => {
    const leaves: (() => void)[] = [];
    for (let leave = flow.enter({ ...read, store }); leave !== undefined; leave = flow.enter({ ...read, store }))
      leaves.push(leave);
    return leaves;
  };
  const hung = taken("hung");
  assert.equal(hung.length, 53);
  const others = [taken("other"), taken("third")];
  assert.deepEqual(
    others.map(({ length }) => length),
    [13, 3],
  );
  assert.equal(taken(undefined).length, 1);
  for (const leave of [...hung, ...others.flat()]) leave();
  assert.equal(taken("hung").length, 52);
  for (let held = 0; held < 3; held++) assert.ok(flow.enter({ ...write, store: "hung" }));
  assert.equal(flow.enter({ ...write, store: "hung" }), undefined);
  assert.ok(flow.enter({ ...write, store: "hung", groups: ["system:masters"] }));
  assert.ok(flow.enter(write));
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
