import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { definitionWith } from "../apimachinery/resource.fixture.ts";
import { createMetrics, type Figures } from "./metrics.ts";

const feed = {
  group: "example.com",
  resource: "widgets",
  objects: 3,
  bytes: 300,
  historyEvents: 5,
  historyBytes: 500,
  historySeconds: 75.5,
};
const store = {
  name: "widgets",
  state: "ready",
  sessions: 1,
  endpoints: { ready: 2, all: 3 },
  refused: 0,
  groupVersions: [],
  feeds: [],
};
const version = { major: "1", minor: "36", gitVersion: "v1.36.0+annex-0.1.0" };
const none: Figures = { isRegistered: false, version, listener: undefined, stores: [] };

function metricsFor(t: TestContext) {
  const metrics = createMetrics();
  t.after(() => metrics.close());
  const ask = async (path = "/metrics", method = "GET", figures = none) => {
    const answer = await metrics.answer({ method, path }, () => figures);
    if (answer === undefined) return undefined;
    const buffers = answer.body as Uint8Array | readonly Uint8Array[];
    return { ...answer, text: Buffer.concat(buffers instanceof Uint8Array ? [buffers] : buffers).toString() };
  };
  return { metrics, ask };
}

test("answer() gives Prometheus' text at its two paths and nothing at others", async (t) => {
  const { metrics, ask } = metricsFor(t);
  metrics.checked("ping", "livez", true);
  metrics.checked("ping", "livez", false);
  const all = await ask();
  assert.equal(all?.status, 200);
  assert.deepEqual(all.headers, { "Content-Type": "text/plain; version=0.0.4; charset=utf-8" });
  assert.match(
    all.text,
    /^kubernetes_build_info\{.*git_version="v1.36.0\+annex-0.1.0",.*major="1",minor="36",.*\} 1$/m,
  );
  assert.match(all.text, /^process_resident_memory_bytes \d+$/m);
  assert.doesNotMatch(all.text, /kubernetes_healthcheck|annex_connections/);
  const listener = { connections: 3, failedHandshakes: 2, certificateEnd: new Date(1_800_000_000_000) };
  const listening = (await ask("/metrics", "GET", { ...none, listener }))?.text ?? "";
  assert.match(listening, /^annex_connections 3$/m);
  assert.match(
    listening,
    /^# TYPE apiserver_tls_handshake_errors_total counter\napiserver_tls_handshake_errors_total 2$/m,
  );
  assert.match(listening, /^annex_serving_certificate_expiration_timestamp_seconds 1800000000$/m);
  const slis = await ask("/metrics/slis");
  assert.equal(
    slis?.text.replace(/^#.*\n/gm, ""),
    [
      'kubernetes_healthcheck{name="ping",type="livez"} 0',
      'kubernetes_healthchecks_total{name="ping",status="success",type="livez"} 1',
      'kubernetes_healthchecks_total{name="ping",status="error",type="livez"} 1',
      "",
    ].join("\n"),
  );
  for (const path of ["/metrics/", "/metrics/x", "/"]) assert.equal(await ask(path), undefined);
});

test("answer() begins to count anew on DELETE", async (t) => {
  const { metrics, ask } = metricsFor(t);
  const { authenticated } = metrics.access;
  authenticated({ result: "success", username: "ann", seconds: 0.1 });
  assert.match((await ask())?.text ?? "", /^authentication_attempts\{result="success"\} 1$/m);
  const deleted = await ask("/metrics", "DELETE");
  assert.deepEqual([deleted?.status, deleted?.text], [200, "metrics reset\n"]);
  assert.match((await ask())?.text ?? "", /^authentication_attempts\{result="success"\} 0$/m);
});

test("stores and feeds are told as they are now: who is gone is not there any more", async (t) => {
  const { ask } = metricsFor(t);
  const groupVersions = [
    { group: "example.com", version: "v1", isRegistered: true },
    { group: "example.com", version: "v2", isRegistered: false },
  ];
  const feeds = [{ ...feed, state: "broken" }];
  const before = await ask("/metrics", "GET", {
    ...none,
    isRegistered: true,
    stores: [
      { ...store, groupVersions, feeds },
      { ...store, name: "other", state: "away", sessions: 0 },
    ],
  });
  const lines = before?.text.split("\n") ?? [];
  for (const line of [
    "annex_registered 1",
    'annex_store_registered{group="example.com",store="widgets",version="v1"} 1',
    'annex_store_registered{group="example.com",store="widgets",version="v2"} 0',
    'annex_store_state{state="ready",store="widgets"} 1',
    'annex_store_state{state="ready",store="other"} 0',
    'annex_store_state{state="away",store="other"} 1',
    'annex_store_sessions{store="widgets"} 1',
    'annex_store_endpoints{state="ready",store="widgets"} 2',
    'annex_store_endpoints{state="away",store="widgets"} 1',
    'annex_store_feed_state{group="example.com",resource="widgets",state="broken",store="widgets"} 1',
    'annex_store_feed_state{group="example.com",resource="widgets",state="following",store="widgets"} 0',
    'annex_store_cache_objects{group="example.com",resource="widgets",store="widgets"} 3',
    'annex_store_cache_history_bytes{group="example.com",resource="widgets",store="widgets"} 500',
    'annex_store_cache_history_seconds{group="example.com",resource="widgets",store="widgets"} 75.5',
  ])
    assert.ok(lines.includes(line), line);
  const after = (await ask("/metrics", "GET", { ...none, stores: [store] }))?.text ?? "";
  assert.doesNotMatch(after, /store="other"|annex_store_feed_state/);
});

test("users are told apart by the kind of their name alone", async (t) => {
  const { metrics, ask } = metricsFor(t);
  for (const username of ["kubelet", "ann@example.com", "ann", "system:serviceaccount:a:b"])
    metrics.access.authenticated({ result: "success", username, seconds: 0 });
  metrics.access.authenticated({ result: "error", username: "", seconds: 0 });
  const text = (await ask())?.text ?? "";
  const told = text.split("\n").filter((line) => line.startsWith("authenticated_user_requests"));
  assert.deepEqual(told.sort(), [
    'authenticated_user_requests{username="email_id"} 1',
    'authenticated_user_requests{username="kubelet"} 1',
    'authenticated_user_requests{username="other"} 2',
  ]);
});

test("a copy's reads and its store's lies are told of its resource", async (t) => {
  const { metrics, ask } = metricsFor(t);
  const copy = metrics.watches.copy(definitionWith(), "widgets");
  copy.filled(2);
  copy.received(3);
  copy.waited(0.01);
  copy.consistentRead(true);
  copy.consistentRead(false);
  copy.lied();
  const text = (await ask())?.text ?? "";
  for (const line of [
    'apiserver_watch_cache_initializations_total{group="example.com",resource="widgets"} 1',
    'apiserver_init_events_total{group="example.com",resource="widgets"} 2',
    'apiserver_watch_cache_events_received_total{group="example.com",resource="widgets"} 3',
    'apiserver_watch_cache_read_wait_seconds_count{group="example.com",resource="widgets"} 1',
    'apiserver_watch_cache_consistent_read_total{fallback="false",group="example.com",resource="widgets",success="true"} 1',
    'apiserver_watch_cache_consistent_read_total{fallback="true",group="example.com",resource="widgets",success="false"} 1',
    'annex_store_revision_violations_total{group="example.com",resource="widgets",store="widgets"} 1',
  ])
    assert.ok(text.split("\n").includes(line), line);
});
