/** Steps of a request that a store takes part in: it changes, checks and converts objects. */
import assert from "node:assert/strict";
import { after, before, beforeEach, describe, test } from "node:test";
import { Capability, Scope, Verb } from "../../gen/annex/store/v1/catalog_pb.js";
import { createMemoryStore, memoryCapabilities } from "../../stores/memory/store.ts";
import { type AdmitCall, type ConvertCall, forbidden, type Store, unavailable } from "../../stores/sdk/sdk.ts";
import { eventually } from "../support/eventually.ts";
import { type AskOptions, startTestGateway, type TestGateway } from "../support/gateway.ts";

const group = "hooks.annex.dev";
const allVerbs = [
  ...[Verb.GET, Verb.LIST, Verb.WATCH, Verb.CREATE],
  ...[Verb.UPDATE, Verb.PATCH, Verb.DELETE, Verb.DELETECOLLECTION],
];
const bytes = (value: unknown) => Buffer.from(JSON.stringify(value));
const parse = (json: Uint8Array) => JSON.parse(Buffer.from(json).toString());
const schemaOf = (fields: object) =>
  bytes({ type: "object", properties: { spec: { type: "object", properties: fields } } });

function resource(plural: string, kind: string, capabilities: Capability[], versions: object[]) {
  const base = { group, plural, kind, scope: Scope.CLUSTER, storageVersion: "v1", verbs: allVerbs };
  return { ...base, versions, capabilities: [...memoryCapabilities, ...capabilities] };
}

describe("mutate and validate", () => {
  const schemaJson = schemaOf({ color: { type: "string" }, size: { type: "integer", default: 1 } });
  const things = resource(
    "things",
    "Thing",
    [Capability.HOOK_MUTATE, Capability.HOOK_VALIDATE],
    [{ name: "v1", served: true, status: true, schemaJson }],
  );
  const path = `/apis/${group}/v1/things`;
  let hooks: Pick<Store, "mutate" | "validate"> = {};
  let calls: { readonly hook: string; readonly call: AdmitCall }[] = [];
  let gateway: TestGateway;
  before(async () => {
    const store: Store = {
      ...createMemoryStore([things]),
      async mutate(call) {
        calls.push({ hook: "mutate", call });
        return await hooks.mutate?.(call);
      },
      async validate(call) {
        calls.push({ hook: "validate", call });
        return await hooks.validate?.(call);
      },
    };
    gateway = await startTestGateway({ stores: { things: store } });
  });
  after(async () => await gateway.stop());
  beforeEach(() => {
    hooks = {};
    calls = [];
  });

  const thing = (name: string, spec: object = {}) => ({
    apiVersion: `${group}/v1`,
    kind: "Thing",
    metadata: { name },
    spec,
  });
  const create = (name: string, spec?: object, options?: AskOptions, query = "") =>
    gateway.ask(`${path}${query}`, { method: "POST", body: thing(name, spec), ...options });

  test("mutate sees the defaulted object, and what it makes is pruned, defaulted and stored", async () => {
    hooks.mutate = async ({ json, user }) => {
      const object = parse(json);
      assert.equal(object.spec.size, 1);
      object.spec = { color: user?.name, unknown: true };
      return { json: bytes(object), warnings: ["painted"] };
    };
    const made = await create("a", { color: "red" });
    assert.equal(made.status, 201, made.text);
    assert.deepEqual(made.json()["spec"], { color: "admin", size: 1 });
    assert.deepEqual(made.headers["warning"], '299 - "painted"');
    assert.deepEqual((await gateway.ask(`${path}/a`)).json()["spec"], { color: "admin", size: 1 });
  });

  test("mutate changes what a patch and a put make, at the resourceVersion that they name", async () => {
    const made = await create("p");
    hooks.mutate = async ({ json }) => ({ json: bytes({ ...parse(json), spec: { color: "mutated" } }) });
    const patch = { method: "PATCH", headers: { "content-type": "application/merge-patch+json" } };
    const patched = await gateway.ask(`${path}/p`, { ...patch, body: { spec: { color: "blue" } } });
    assert.deepEqual([patched.status, patched.json()["spec"]], [200, { color: "mutated", size: 1 }], patched.text);
    const stale = await gateway.ask(`${path}/p`, { method: "PUT", body: made.json() });
    assert.equal(stale.status, 409, stale.text);
    const put = await gateway.ask(`${path}/p`, { method: "PUT", body: { ...patched.json(), spec: { size: 7 } } });
    assert.deepEqual([put.status, put.json()["spec"]], [200, { color: "mutated", size: 1 }], put.text);
  });

  test("each hook is told operation, key, both states, dry run and audit id", async () => {
    await create("b", {}, { headers: { "audit-id": "audit-b" } });
    const patch = { method: "PATCH", headers: { "content-type": "application/merge-patch+json" } };
    await gateway.ask(`${path}/b?dryRun=All`, { ...patch, body: { spec: { color: "blue" } } });
    await gateway.ask(`${path}/b/status`, { ...patch, body: { status: { x: 1 } } });
    await gateway.ask(`${path}/b`, { method: "DELETE" });
    const told = calls.map(({ hook, call }) => {
      const colors = [call.json, call.oldJson].map((json) =>
        json.length === 0 ? "-" : (parse(json).spec.color ?? ""),
      );
      return [hook, call.operation, call.key.name, call.subresource, ...colors, call.dryRun].join(" ");
    });
    assert.deepEqual(told, [
      "mutate CREATE b   - false",
      "validate CREATE b   - false",
      "mutate UPDATE b  blue  true",
      "validate UPDATE b  blue  true",
      "mutate UPDATE b status   false",
      "validate UPDATE b status   false",
      "validate DELETE b  -  false",
    ]);
    assert.equal(calls[0]?.call.requestId, "audit-b");
  });

  test("causes of validate are a 422, and its warnings are the client's", async () => {
    hooks.validate = async () => ({
      causes: [{ reason: "FieldValueInvalid", field: "spec.color", message: 'Invalid value: "puce": is no color' }],
      warnings: ["look it up"],
    });
    const refused = await create("c", { color: "puce" });
    const message = `Thing.${group} "c" is invalid: spec.color: Invalid value: "puce": is no color`;
    assert.deepEqual([refused.status, refused.json().message], [422, message]);
    assert.equal(refused.headers["warning"], '299 - "look it up"');
    assert.equal((await gateway.ask(`${path}/c`)).status, 404);
  });

  test("a hook that denies answers 403 as a webhook does", async () => {
    hooks.validate = async () => {
      throw forbidden("things are for grown-ups");
    };
    const denied = await create("d");
    const message = `admission webhook "validate.things.${group}" denied the request: things are for grown-ups`;
    assert.deepEqual([denied.status, denied.json().message, denied.json()["reason"]], [403, message, "Forbidden"]);
    hooks = {
      async mutate() {
        throw forbidden("");
      },
    };
    const silent = `admission webhook "mutate.things.${group}" denied the request without explanation`;
    assert.equal((await create("d")).json().message, silent);
  });

  test("a hook that fails answers 500 as a webhook with failurePolicy Fail, and shows none of its text", async () => {
    hooks.mutate = async () => {
      throw new Error("password 1234");
    };
    const failed = await create("e");
    const message = `Internal error occurred: failed calling webhook "mutate.things.${group}": failed to call webhook: the store failed`;
    assert.deepEqual([failed.status, failed.json().message, failed.json()["reason"]], [500, message, "InternalError"]);
    hooks.mutate = async () => ({ json: Buffer.from("no json") });
    assert.match((await create("e")).text, /received invalid webhook response: /);
  });

  test("a hook whose store is away is asked once more, a hook that hangs has the request's deadline", async () => {
    let asked = 0;
    hooks.validate = async () => {
      if (++asked === 1) throw unavailable("just a moment");
      return undefined;
    };
    assert.equal((await create("f")).status, 201);
    assert.equal(asked, 2);
    hooks.validate = ({ signal }) =>
      new Promise((_, reject) => signal.addEventListener("abort", () => reject(new Error("aborted"))));
    const started = performance.now();
    const late = await create("g", {}, {}, "?timeout=1s");
    assert.equal(late.status, 504, late.text);
    assert.ok(performance.now() - started < 10_000, "the hook's own ten seconds are not waited for");
  });

  test("deletecollection asks about each object", async () => {
    const kept = new Set(["a"]);
    hooks.validate = async ({ operation, key }) => {
      if (operation === "DELETE" && kept.has(key.name)) throw forbidden("a stays");
      return undefined;
    };
    assert.equal((await gateway.ask(path, { method: "DELETE" })).status, 403);
    assert.equal((await gateway.ask(`${path}/a`)).status, 200);
  });
});

describe("convert", () => {
  const color = { type: "string" };
  const gauges = resource(
    "gauges",
    "Gauge",
    [Capability.HOOK_CONVERT],
    [
      { name: "v1", served: true, schemaJson: schemaOf({ millimetres: { type: "integer" }, color }) },
      { name: "v1beta1", served: true, schemaJson: schemaOf({ metres: { type: "string" }, color }) },
    ],
  );
  const at = (version: string) => `/apis/${group}/${version}/gauges`;
  const batches: number[] = [];
  let convert = convertGauges;
  let gateway: TestGateway;
  before(async () => {
    const store: Store = {
      ...createMemoryStore([gauges]),
      async convert(call) {
        // What the gateway converts for itself, for its copy, comes at any time.
        if (call.requestId !== "") batches.push(call.objects.length);
        return convert(call);
      },
    };
    gateway = await startTestGateway({ stores: { gauges: store } });
  });
  after(async () => await gateway.stop());
  beforeEach(() => {
    convert = convertGauges;
    batches.length = 0;
  });

  function convertGauges({ objects, targetVersion, group: ofGroup }: ConvertCall): Uint8Array[] {
    return objects.map((json) => {
      const object = parse(json);
      const { millimetres, metres, ...rest } = object.spec;
      const spec =
        targetVersion === "v1"
          ? { millimetres: Number(metres) * 1000, ...rest }
          : { metres: String(millimetres / 1000), ...rest };
      return bytes({ ...object, apiVersion: `${ofGroup}/${targetVersion}`, spec });
    });
  }
  const gauge = (version: string, name: string, spec: object) => ({
    apiVersion: `${group}/${version}`,
    kind: "Gauge",
    metadata: { name },
    spec,
  });
  const specOf = async (version: string, name: string) => (await gateway.ask(`${at(version)}/${name}`)).json()["spec"];

  test("what is written in one version is read in each", async () => {
    const body = gauge("v1beta1", "a", { metres: "2" });
    const made = await gateway.ask(at("v1beta1"), { method: "POST", body });
    assert.deepEqual([made.status, made.json()["spec"]], [201, { metres: "2" }], made.text);
    assert.deepEqual(await specOf("v1", "a"), { millimetres: 2000 });
    assert.deepEqual(await specOf("v1beta1", "a"), { metres: "2" });
    const headers = { "content-type": "application/merge-patch+json" };
    const patched = await gateway.ask(`${at("v1")}/a`, {
      method: "PATCH",
      headers,
      body: { spec: { millimetres: 2500 } },
    });
    assert.deepEqual(patched.json()["spec"], { millimetres: 2500 });
    const again = await gateway.ask(`${at("v1beta1")}/a`, {
      method: "PATCH",
      headers,
      body: { spec: { metres: "3" } },
    });
    assert.deepEqual(again.json()["spec"], { metres: "3" }, again.text);
    assert.deepEqual(await specOf("v1", "a"), { millimetres: 3000 });
  });

  test("what a conversion leaves out of metadata is there again, but for labels and annotations", async (t) => {
    const labels = { a: "b" };
    const body = { ...gauge("v1", "m", { millimetres: 1 }), metadata: { name: "m", labels, finalizers: ["a.b/c"] } };
    const made = await gateway.ask(`${at("v1")}?fieldManager=alice`, { method: "POST", body });
    const stored = made.json().metadata as Record<string, unknown>;
    convert = (call) =>
      convertGauges(call).map((json) => bytes({ ...parse(json), metadata: { name: "m", uid: stored["uid"] } }));
    const remove = async () => {
      convert = convertGauges;
      await gateway.ask(`${at("v1")}/m`, { method: "DELETE" });
      await gateway.ask(`${at("v1")}/m`, {
        method: "PATCH",
        headers: { "content-type": "application/merge-patch+json" },
        body: { metadata: { finalizers: null } },
      });
    };
    t.after(remove);
    const read = await gateway.ask(`${at("v1beta1")}/m`);
    const { labels: gone, ...rest } = stored;
    assert.deepEqual([gone, read.json().metadata], [labels, rest], read.text);
    convert = (call) =>
      convertGauges(call).map((json) => {
        const object = parse(json);
        return bytes({ ...object, metadata: { ...object.metadata, labels: { a: 1 } } });
      });
    const refused = await gateway.ask(`${at("v1beta1")}/m`);
    assert.deepEqual(
      [refused.status, refused.json().message?.split(": ").slice(1)],
      [500, ["invalid metadata.labels, which must be a map of strings"]],
    );
  });

  test("a list is converted in batches, and not at all in the storage version", async () => {
    await Promise.all(
      Array.from({ length: 30 }, (_, index) =>
        gateway.ask(at("v1"), { method: "POST", body: gauge("v1", `n-${index}`, { millimetres: index * 1000 }) }),
      ),
    );
    batches.length = 0;
    const inStorage = (await gateway.ask(at("v1"))).json()["items"] as object[];
    assert.deepEqual([inStorage.length, batches], [31, []]);
    const items = (await gateway.ask(at("v1beta1"))).json()["items"] as { spec: { metres?: string } }[];
    assert.deepEqual([items.length, batches], [31, [31]]);
    assert.ok(items.every((item) => item.spec.metres !== undefined));
  });

  test("watches of both versions see each change in their own", async () => {
    const stop = new AbortController();
    const texts = { v1: "", v1beta1: "" };
    const { resourceVersion } = (await gateway.ask(at("v1"))).json().metadata as { resourceVersion: string };
    const watches = (["v1", "v1beta1"] as const).map((version) =>
      gateway.ask(`${at(version)}?watch=1&resourceVersion=${resourceVersion}`, {
        signal: stop.signal,
        onText: (piece) => (texts[version] += piece),
      }),
    );
    await gateway.ask(at("v1beta1"), { method: "POST", body: gauge("v1beta1", "w", { metres: "7" }) });
    await gateway.ask(`${at("v1")}/w`, { method: "DELETE" });
    await eventually(() => texts.v1.includes("DELETED") && texts.v1beta1.includes("DELETED"), "both saw the end");
    stop.abort();
    await Promise.all(watches);
    const seen = (text: string) =>
      text
        .split("\n")
        .slice(0, -1)
        .map((line) => JSON.parse(line))
        .map(({ type, object }) => [type, object.apiVersion, JSON.stringify(object.spec)].join(" "));
    assert.deepEqual(seen(texts.v1), [
      `ADDED ${group}/v1 {"millimetres":7000}`,
      `DELETED ${group}/v1 {"millimetres":7000}`,
    ]);
    assert.deepEqual(seen(texts.v1beta1), [
      `ADDED ${group}/v1beta1 {"metres":"7"}`,
      `DELETED ${group}/v1beta1 {"metres":"7"}`,
    ]);
  });

  const write = (verb: "apply" | "merge" | "put", version: string, manager: string, body: object, force = false) =>
    gateway.ask(`${at(version)}/f?fieldManager=${manager}${force ? "&force=true" : ""}`, {
      method: verb === "put" ? "PUT" : "PATCH",
      headers:
        verb === "put" ? {} : { "content-type": `application/${verb}-patch+${verb === "apply" ? "yaml" : "json"}` },
      body,
    });
  const ownersIn = (answer: { json(): Record<string, unknown> }) => {
    const { managedFields = [] } = answer.json()["metadata"] as { managedFields?: Record<string, unknown>[] };
    const told = managedFields.map(({ manager, operation, apiVersion, fieldsV1 }) =>
      [manager, operation, String(apiVersion).slice(group.length + 1), JSON.stringify(fieldsV1)].join(" "),
    );
    return told.sort();
  };

  test("each manager's fields are looked at in the version that the manager wrote", async () => {
    const made = await write("apply", "v1", "alice", gauge("v1", "f", { millimetres: 2000, color: "red" }));
    assert.equal(made.status, 201, made.text);
    const alice = 'alice Apply v1 {"f:spec":{"f:color":{}}}';
    const same = await write("apply", "v1beta1", "bob", gauge("v1beta1", "f", { metres: "2" }));
    assert.deepEqual(ownersIn(same), [
      'alice Apply v1 {"f:spec":{"f:color":{},"f:millimetres":{}}}',
      'bob Apply v1beta1 {"f:spec":{"f:metres":{}}}',
    ]);
    const other = gauge("v1beta1", "f", { metres: "3" });
    const refused = await write("apply", "v1beta1", "bob", other);
    const conflict = 'Apply failed with 1 conflict: conflict with "alice": .spec.millimetres';
    assert.deepEqual([refused.status, refused.json().message], [409, conflict]);
    const forced = await write("apply", "v1beta1", "bob", other, true);
    const bob = 'bob Apply v1beta1 {"f:spec":{"f:metres":{}}}';
    assert.deepEqual([forced.status, ownersIn(forced)], [200, [alice, bob]], forced.text);
    assert.deepEqual(await specOf("v1", "f"), { millimetres: 3000, color: "red" });

    const patched = await write("merge", "v1beta1", "carol", { metadata: { labels: { a: "b" } } });
    const carol = 'carol Update v1beta1 {"f:metadata":{"f:labels":{".":{},"f:a":{}}}}';
    assert.deepEqual([patched.status, ownersIn(patched)], [200, [alice, bob, carol]], patched.text);
    const put = { ...patched.json(), spec: { metres: "4", color: "red" } };
    const updated = await write("put", "v1beta1", "dave", put);
    const dave = 'dave Update v1beta1 {"f:spec":{"f:metres":{}}}';
    assert.deepEqual([updated.status, ownersIn(updated)], [200, [alice, carol, dave]], updated.text);
    const inStorage = await write("merge", "v1", "erin", { spec: { millimetres: 5000 } });
    const erin = 'erin Update v1 {"f:spec":{"f:millimetres":{}}}';
    assert.deepEqual(ownersIn(inStorage), [alice, carol, erin], inStorage.text);
  });

  test("the live and the next object are converted into a manager's version in one call", async () => {
    batches.length = 0;
    await write("merge", "v1", "erin", { spec: { millimetres: 6000 } });
    assert.deepEqual(batches, [2]);
    batches.length = 0;
    await write("apply", "v1", "erin", gauge("v1", "f", { millimetres: 6000 }));
    assert.deepEqual(batches, [1], "an apply that changes nothing has one object");
    batches.length = 0;
    const made = await gateway.ask(at("v1"), { method: "POST", body: gauge("v1", "g", { millimetres: 1000 }) });
    await gateway.ask(`${at("v1")}/g`, { method: "PUT", body: { ...made.json(), spec: { millimetres: 2000 } } });
    assert.deepEqual(batches, [], "all managers have the version that is written");
  });

  test("where a manager's version can't be made, an apply is refused, and an update ends what was tracked", async () => {
    const before = await gateway.ask(`${at("v1")}/f`);
    assert.notDeepEqual(ownersIn(before), []);
    convert = (call) => {
      if (call.objects.some((json) => parse(json).spec.millimetres === 7000)) throw new Error("no seven");
      return convertGauges(call);
    };
    const applied = await write("apply", "v1", "frank", gauge("v1", "f", { millimetres: 7000 }), true);
    const why = `failed to convert new object: conversion webhook for ${group}/v1, Kind=Gauge failed: the store failed`;
    assert.deepEqual([applied.status, applied.json().message], [500, why]);
    const patched = await write("merge", "v1", "frank", { spec: { millimetres: 7000 } });
    assert.deepEqual([patched.status, ownersIn(patched)], [200, []], patched.text);
  });

  test("a conversion that fails, or makes another object, fails the read in kube-apiserver's words", async () => {
    const failing = (make: typeof convert) => {
      convert = make;
      return gateway.ask(`${at("v1beta1")}/a`);
    };
    const prefix = `conversion webhook for ${group}/v1, Kind=Gauge`;
    const failed = await failing(() => {
      throw new Error("secret");
    });
    assert.deepEqual([failed.status, failed.json().message], [500, `${prefix} failed: the store failed`]);
    const short = await failing(() => []);
    assert.equal(short.json().message, `${prefix} returned 0 objects, expected 1`);
    const renamed = await failing((call) =>
      convertGauges(call).map((json) => bytes({ ...parse(json), metadata: { name: "other" } })),
    );
    assert.match(renamed.json().message ?? "", /returned invalid converted object at index 0: invalid metadata\.name/);
    const same = await failing(({ objects }) => [...objects]);
    assert.match(same.json().message ?? "", /invalid groupVersion \(expected .*v1beta1, received .*v1\)$/);
    assert.equal((await gateway.ask(`${at("v1")}/a`)).status, 200);
  });
});
