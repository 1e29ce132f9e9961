import assert from "node:assert/strict";
import { test } from "node:test";
import { createHealth, versionDocument } from "./health.ts";

const state = { why: undefined as string | undefined };
const health = createHealth({
  checks: [
    { name: "ping", endpoints: ["healthz", "livez", "readyz"], check: () => undefined },
    { name: "shutdown", endpoints: ["readyz"], check: () => state.why },
  ],
});
const ask = (path: string, query: Record<string, string[]> = {}) => {
  const answer = health.answer(path, new Map(Object.entries(query)));
  return answer === undefined ? undefined : [answer.status, String(answer.body)];
};

test("answer() says ok, and which checks passed when asked", () => {
  state.why = undefined;
  assert.deepEqual(ask("/healthz"), [200, "ok"]);
  assert.deepEqual(ask("/readyz", { verbose: [""] }), [200, "[+]ping ok\n[+]shutdown ok\nreadyz check passed\n"]);
  assert.deepEqual(ask("/livez/ping"), [200, "ok"]);
  assert.equal(ask("/livez/shutdown"), undefined);
  assert.equal(ask("/livez/"), undefined);
  assert.equal(ask("/livezz"), undefined);
  assert.equal(ask("/other"), undefined);
});

test("answer() fails with the checks but without the reason", () => {
  state.why = "process is shutting down";
  assert.deepEqual(ask("/readyz"), [500, "[+]ping ok\n[-]shutdown failed: reason withheld\nreadyz check failed\n"]);
  assert.deepEqual(ask("/readyz/shutdown"), [500, "internal server error: process is shutting down\n"]);
  assert.deepEqual(ask("/livez"), [200, "ok"]);
});

test("answer() leaves out what is excluded and says what it can't", () => {
  assert.deepEqual(ask("/readyz", { exclude: ["shutdown"] }), [200, "ok"]);
  assert.deepEqual(ask("/readyz", { exclude: ["shutdown", "z", "a", "z", 'é"'], verbose: [""] }), [
    200,
    '[+]ping ok\n[+]shutdown excluded: ok\nwarn: some health checks cannot be excluded: no matches for "a","z","é\\""\nreadyz check passed\n',
  ]);
});

test("answer() gives each check by its own path, and nothing else below", () => {
  state.why = undefined;
  assert.deepEqual(health.answer("/livez/ping", new Map())?.headers, { "Content-Type": "text/plain; charset=utf-8" });
  assert.deepEqual(ask("/livez/ping"), [200, "ok"]);
  for (const path of ["/livez/", "/livez/ping/", "/livez/shutdown", "/livezz", "/"]) assert.equal(ask(path), undefined);
});

test("createHealth() tells a detail by its own path and among the others, and lets it fail nothing", () => {
  const detail = { name: "extra", endpoints: ["readyz"] as const, isDetail: true, check: () => "not yet" };
  const told: unknown[] = [];
  const health = createHealth({ checks: [detail], observe: (...said) => told.push(said) });
  const ask = (path: string, query = new Map<string, string[]>()) => {
    const { status, body } = health.answer(path, query) ?? { status: 0, body: Buffer.from("") };
    return [status, String(body)];
  };
  assert.deepEqual(ask("/readyz"), [200, "ok"]);
  const verbose = "[-]extra failed: reason withheld\nreadyz check passed\n";
  assert.deepEqual(ask("/readyz", new Map([["verbose", [""]]])), [200, verbose]);
  assert.deepEqual(ask("/readyz/extra"), [500, "internal server error: not yet\n"]);
  ask("/readyz", new Map([["exclude", ["extra"]]]));
  assert.deepEqual(told, Array(3).fill(["extra", "readyz", false]));
});

test("versionDocument() names the Kubernetes that is followed", () => {
  const version = versionDocument("0.1.0");
  assert.equal(version["major"], "1");
  assert.equal(version["minor"], "36");
  assert.equal(version["gitVersion"], "v1.36.0+annex-0.1.0");
  assert.deepEqual(Object.keys(version).slice(3), [
    "gitCommit",
    "gitTreeState",
    "buildDate",
    "goVersion",
    "compiler",
    "platform",
  ]);
});
