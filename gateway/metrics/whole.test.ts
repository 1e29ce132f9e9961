import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { createMetrics, createWholeMetrics, type Figures } from "./metrics.ts";

const none: Figures = { isRegistered: false, version: {}, listener: undefined, stores: [] };
const get = { method: "GET", path: "/metrics" };

/** A process that counts, and what it answers. */
function counting(t: TestContext) {
  const metrics = createMetrics();
  t.after(() => metrics.close());
  const text = async (request = get, figures = none) => {
    const answer = await metrics.answer(request, () => figures);
    return Buffer.concat((answer?.body ?? []) as Uint8Array[]).toString();
  };
  return { metrics, text, hit: (times: number) => repeat(times, () => metrics.access.tokenAsked("hit", 0.003)) };
}

function repeat(times: number, work: () => void): void {
  for (let n = 0; n < times; n++) work();
}

function whole(t: TestContext) {
  const metrics = createWholeMetrics();
  t.after(() => metrics.close());
  return metrics;
}

function sampleOf(text: string, name: string): number | undefined {
  const line = text.split("\n").find((one) => one.startsWith(`${name} `));
  return line === undefined ? undefined : Number(line.slice(name.length + 1));
}

const hits = 'authentication_token_cache_request_total{status="hit"}';

test("sum() adds what is counted, bucket by bucket, and takes of gauges what fits the whole", async (t) => {
  const [one, other, all] = [counting(t), counting(t), whole(t)];
  one.hit(2);
  other.hit(3);
  const listener = { connections: 3, failedHandshakes: 2, certificateEnd: new Date(2_000_000) };
  const store = {
    name: "s",
    state: "ready",
    sessions: 1,
    refused: 0,
    endpoints: { ready: 1, all: 1 },
    groupVersions: [],
    feeds: [],
  };
  const feed = {
    group: "g",
    resource: "r",
    objects: 7,
    bytes: 70,
    historyEvents: 0,
    historyBytes: 0,
    historySeconds: 9,
  };
  const texts = new Map([
    [1, await one.text(get, { ...none, listener, stores: [{ ...store, feeds: [{ ...feed, state: "following" }] }] })],
    [
      2,
      await other.text(get, {
        ...{ ...none, isRegistered: true },
        listener: { ...listener, certificateEnd: new Date(1_000_000) },
        stores: [{ ...store, state: "away", feeds: [{ ...feed, state: "broken" }] }],
      }),
    ],
  ]);
  const text = await all.sum(get, texts);
  const expected: readonly [string, number][] = [
    [hits, 5],
    ['authentication_token_cache_request_duration_seconds_bucket{status="hit",le="0.002"}', 0],
    ['authentication_token_cache_request_duration_seconds_bucket{status="hit",le="0.004"}', 5],
    ['authentication_token_cache_request_duration_seconds_bucket{status="hit",le="+Inf"}', 5],
    ['authentication_token_cache_request_duration_seconds_count{status="hit"}', 5],
    ["annex_connections", 6],
    ["apiserver_tls_handshake_errors_total", 4],
    ["annex_serving_certificate_expiration_timestamp_seconds", 1_000],
    ["annex_registered", 1],
    ['annex_store_sessions{store="s"}', 2],
    ['annex_store_state{state="ready",store="s"}', 1],
    ['annex_store_state{state="away",store="s"}', 1],
    ['annex_store_cache_objects{group="g",resource="r",store="s"}', 7],
    ['annex_store_feed_state{group="g",resource="r",state="broken",store="s"}', 1],
    ["annex_workers_silent", 0],
  ];
  for (const [name, value] of expected) assert.equal(sampleOf(text, name), value, name);
  assert.match(text, /^# HELP annex_connections .+\n# TYPE annex_connections gauge\nannex_connections 6$/m);
  const names = [...text.matchAll(/^# TYPE (\S+)/gm)].map(([, name]) => name);
  assert.deepEqual(names, [...new Set(names)].sort());
});

test("sum() never lets a count go back: not when a process is gone, nor when it is silent", async (t) => {
  const [one, other, all] = [counting(t), counting(t), whole(t)];
  one.hit(2);
  other.hit(3);
  all.counted({ starting: 0, ready: 2 });
  await all.sum(
    get,
    new Map([
      [1, await one.text()],
      [2, await other.text()],
    ]),
  );
  one.hit(1);
  const silent = await all.sum(
    get,
    new Map([
      [1, await one.text()],
      [2, undefined],
    ]),
  );
  assert.equal(sampleOf(silent, hits), 6);
  assert.equal(sampleOf(silent, "annex_workers_silent"), 1);
  for (const dead of [2, 3]) all.died(dead);
  all.counted({ starting: 1, ready: 1 });
  for (let looks = 0; looks < 2; looks++) {
    const gone = await all.sum(get, new Map([[1, await one.text()]]));
    assert.equal(sampleOf(gone, hits), 6);
    assert.equal(sampleOf(gone, "annex_worker_deaths_total"), 2);
    assert.equal(sampleOf(gone, 'annex_workers{state="ready"}'), 1);
    assert.equal(sampleOf(gone, "annex_workers_silent"), 0);
  }
});

test("sum() begins to count anew on DELETE, at that path alone", async (t) => {
  const [one, all] = [counting(t), whole(t)];
  one.hit(2);
  one.metrics.checked("ping", "livez", true);
  const slis = { method: "GET", path: "/metrics/slis" };
  const checks = 'kubernetes_healthchecks_total{name="ping",status="success",type="livez"}';
  await all.sum(get, new Map([[1, await one.text()]]));
  await all.sum(slis, new Map([[1, await one.text(slis)]]));
  all.died(1);
  assert.equal(await all.sum({ ...get, method: "DELETE" }, new Map()), "metrics reset\n");
  const text = await all.sum(get, new Map());
  assert.equal(sampleOf(text, hits), undefined);
  assert.equal(sampleOf(text, "annex_worker_deaths_total"), 0);
  const kept = await all.sum(slis, new Map());
  assert.equal(sampleOf(kept, checks), 1);
  assert.doesNotMatch(kept, /process_|annex_/);
});
