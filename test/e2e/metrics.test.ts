/**
 * What a monitoring system is told of a gateway that works, and of one whose store went away; and
 * that only who may is told it.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { createMemoryStore, memoryCapabilities } from "../../stores/memory/store.ts";
import { contractResources, resource } from "../contract/contract.testing.ts";
import { eventually } from "../support/eventually.ts";
import { startTestGateway } from "../support/gateway.ts";

const rbac = `
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: { name: monitoring }
rules: [{ nonResourceURLs: ["/metrics", "/metrics/slis"], verbs: [get] }]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: { name: monitoring }
roleRef: { apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: monitoring }
subjects: [{ apiGroup: rbac.authorization.k8s.io, kind: User, name: prometheus }]
`;
const { group } = resource;
const path = `/apis/${group}/v1/namespaces/ns/things`;
const labels = `group="${group}",resource="things"`;

/** Reads the text form. A value by what stands before it: name and labels. */
function valuesOf(text: string): ReadonlyMap<string, number> {
  const lines = text.split("\n").filter((line) => line !== "" && !line.startsWith("#"));
  return new Map(
    lines.map((line) => {
      const found = /^([a-z0-9_]+(?:\{.*\})?) (\S+)$/.exec(line);
      assert.ok(found !== null && !Number.isNaN(Number(found[2])), `"${line}" is no sample`);
      return [found[1] ?? "", Number(found[2])];
    }),
  );
}

test("metrics tell requests, watches, stores and decisions to who may get them, and to nobody else", async (t) => {
  const gateway = await startTestGateway({
    stores: { things: createMemoryStore(contractResources(memoryCapabilities)) },
    rbac,
  });
  t.after(() => gateway.stop());
  const scrape = async () => valuesOf((await gateway.ask("/metrics", { user: "prometheus" })).text);

  const watch = new AbortController();
  const isSeen = Promise.withResolvers<void>();
  const watched = gateway.ask(`/apis/${group}/v1/things?watch=1`, {
    signal: watch.signal,
    onText: () => isSeen.resolve(),
  });
  for (const name of ["a", "b"]) {
    const body = { apiVersion: `${group}/v1`, kind: "Thing", metadata: { name } };
    assert.equal((await gateway.ask(path, { method: "POST", body })).status, 201);
  }
  await isSeen.promise;
  assert.equal((await gateway.ask(`${path}/a`)).status, 200);
  assert.equal((await gateway.ask(`${path}/missing`)).status, 404);
  assert.equal((await gateway.ask(path)).status, 200);
  assert.equal((await gateway.ask("/apis/made.up/v1/names", { user: "prometheus" })).status, 403);
  await eventually(
    async () => (await scrape()).get(`apiserver_watch_events_total{${labels},version="v1"}`) === 2,
    "the watch was sent both events",
  );

  const denied = await gateway.ask("/metrics", { user: "stranger" });
  assert.equal(denied.status, 403);
  assert.match(denied.json().message ?? "", /User "stranger" cannot get path "\/metrics"/);
  const reset = await gateway.ask("/metrics", { user: "prometheus", method: "DELETE" });
  assert.match(reset.json().message ?? "", /User "prometheus" cannot delete path "\/metrics"/);

  const answer = await gateway.ask("/metrics", { user: "prometheus" });
  assert.equal(answer.status, 200);
  assert.equal(answer.headers["content-type"], "text/plain; version=0.0.4; charset=utf-8");
  assert.doesNotMatch(answer.text, /made\.up|stranger|missing|"a"|"ns"/, "no word of a client is a label");
  const values = valuesOf(answer.text);
  const request = (more: string, verb: string) =>
    `{${more}component="apiserver",dry_run="",${labels},scope="resource",subresource="",verb="${verb}",version="v1"}`;
  const ofWatch = `{component="apiserver",${labels},scope="cluster",subresource="",verb="WATCH",version="v1"}`;
  const expected: readonly [string, number][] = [
    [`apiserver_request_total${request('code="201",', "POST")}`, 2],
    [`apiserver_request_total${request('code="200",', "GET")}`, 1],
    [`apiserver_request_total${request('code="404",', "GET")}`, 1],
    [`apiserver_request_duration_seconds_count${request("", "GET")}`, 2],
    [`apiserver_longrunning_requests${ofWatch}`, 1],
    [`apiserver_watch_cache_events_received_total{${labels}}`, 2],
    [`annex_store_cache_objects{${labels},store="things"}`, 2],
    [`annex_store_feed_state{${labels},state="following",store="things"}`, 1],
    ['annex_store_state{state="ready",store="things"}', 1],
    ['annex_store_requests_total{code="OK",method="Create",store="things"}', 2],
    ["annex_registered", 0],
  ];
  for (const [name, value] of expected) assert.equal(values.get(name), value, name);
  const atLeast: readonly [string, number][] = [
    ['authentication_attempts{result="success"}', 8],
    ['authorization_attempts_total{result="allowed"}', 7],
    ['authorization_attempts_total{result="no-opinion"}', 3],
    ['apiserver_authorization_decisions_total{decision="allowed",name="system:masters",type="AlwaysAllowGroups"}', 6],
    ['apiserver_authorization_decisions_total{decision="allowed",name="files",type="RBAC"}', 1],
    ['apiserver_current_inflight_requests{request_kind="readOnly"}', 1],
    ['annex_store_sessions{store="things"}', 1],
    ["annex_connections", 2],
    ["annex_serving_certificate_expiration_timestamp_seconds", Date.now() / 1000],
    ["process_cpu_seconds_total", 0.01],
  ];
  for (const [name, value] of atLeast) assert.ok((values.get(name) ?? 0) >= value, `${name} is ${values.get(name)}`);
  const { text: slis } = await gateway.ask("/metrics/slis", { user: "prometheus" });
  assert.equal(slis, "", "nobody has asked for health yet");

  await gateway.stopStore("things");
  await eventually(async () => {
    const now = await scrape();
    return (
      now.get('annex_store_state{state="away",store="things"}') === 1 &&
      now.get(`annex_store_feed_state{${labels},state="broken",store="things"}`) === 1
    );
  }, "the store is told to be away, and its feed broken");
  assert.equal((await gateway.ask(`${path}/a`)).status, 503);
  const away = await scrape();
  assert.equal(away.get(`apiserver_request_total${request('code="503",', "GET")}`), 1);
  assert.ok((away.get('annex_store_requests_total{code="Unavailable",method="Get",store="things"}') ?? 0) > 0);
  assert.ok(
    (away.get(`apiserver_watch_cache_consistent_read_total{fallback="true",${labels},success="false"}`) ?? 0) > 0,
  );
  assert.equal(away.get(`apiserver_longrunning_requests${ofWatch}`), 1, "the watch stays");

  watch.abort();
  await watched;
  await eventually(
    async () => (await scrape()).get(`apiserver_longrunning_requests${ofWatch}`) === 0,
    "the watch is over",
  );
});
