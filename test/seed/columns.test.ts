/** The seed's TestCustomColumns and ConvertToTable: a Table whose cells the store makes. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { type IncomingMessage, request } from "node:http";
import { createInterface } from "node:readline";
import { type TestContext, test } from "node:test";
import { Code, ConnectError } from "@connectrpc/connect";
import { Capability } from "../../gen/annex/store/v1/catalog_pb.js";
import { createMemoryStore, memoryCapabilities } from "../../stores/memory/store.ts";
import type { Store, TabulateCall } from "../../stores/sdk/sdk.ts";
import { eventually } from "../support/eventually.ts";
import { type SeedAnswer, startSeed, testType, testTypes } from "./seed.testing.ts";

const path = "/apis/ext.cattle.io/v1/testtypes";
const accept = "application/json;as=Table;v=v1;g=meta.k8s.io";

const column = (name: string, jsonPath = "") => ({
  name,
  type: "string",
  format: "string",
  description: name,
  jsonPath,
});

type Rows = readonly (readonly unknown[])[];

/** A store whose hook makes the cells of the columns Foo and Bar. */
function tabulating(tabulate: (call: TabulateCall) => Rows | Promise<Rows>): Store {
  const versions = [{ name: "v1", served: true, columns: [column("Foo", ".metadata.uid"), column("Bar")] }];
  const capabilities = [...memoryCapabilities, Capability.HOOK_TABULATE];
  return {
    ...createMemoryStore([testTypes({ versions, storageVersion: "v1", capabilities })]),
    tabulate: async (call) => tabulate(call),
  };
}

const shown = ({ body }: SeedAnswer) => [
  body.kind,
  body.apiVersion,
  body.columnDefinitions.map(({ name }: { name: string }) => name),
  body.rows.map(({ cells }: { cells: unknown[] }) => cells),
];

test("default columns: name and age, with a partial object", async (t) => {
  const { ask } = await startSeed(t);
  await ask(path, { method: "POST", body: testType("foo") });
  for (const about of [path, `${path}/foo`]) {
    const answer = await ask(about, { headers: { accept } });
    // The seed has the raw creation time; a custom resource of kube-apiserver has its age.
    const [kind, apiVersion, columns, [[name, age]]] = shown(answer) as [string, string, string[], [[string, string]]];
    assert.deepEqual([kind, apiVersion, columns, name], ["Table", "meta.k8s.io/v1", ["Name", "Age"], "foo"]);
    assert.match(age, /^\d+s$/);
    const { object } = answer.body.rows[0];
    assert.deepEqual(
      [object.kind, object.apiVersion, object.metadata.name],
      ["PartialObjectMetadata", "meta.k8s.io/v1", "foo"],
    );
  }
});

test("custom columns: the store's cells, whatever object is included", async (t) => {
  const calls: TabulateCall[] = [];
  const store = tabulating((call) => {
    calls.push(call);
    return call.objects.map(({ name, json }) => [`foo of ${name}`, JSON.parse(Buffer.from(json).toString()).kind]);
  });
  const { ask } = await startSeed(t, { stores: [store] });
  const created = (await ask(path, { method: "POST", body: { ...testType("foo"), spec: { a: 1 } } })).body;
  const table = ["Table", "meta.k8s.io/v1", ["Name", "Foo", "Bar"], [["foo", "foo of foo", "TestType"]]];
  for (const about of [path, `${path}/foo`]) {
    const objectOf = async (query: string) => {
      const answer = await ask(`${about}${query}`, { headers: { accept } });
      assert.deepEqual(shown(answer), table);
      return answer.body.rows[0].object;
    };
    for (const query of ["", "?includeObject=Metadata"]) {
      const { kind, apiVersion, metadata } = await objectOf(query);
      assert.deepEqual([kind, apiVersion, metadata.name], ["PartialObjectMetadata", "meta.k8s.io/v1", "foo"]);
    }
    assert.equal(await objectOf("?includeObject=None"), null);
    assert.deepEqual(await objectOf("?includeObject=Object"), created);
  }
  assert.deepEqual([calls[0]?.user?.name, calls[0]?.resource.version], ["my-user", "v1"]);
  assert.equal((await ask(`${path}?includeObject=All`, { headers: { accept } })).status, 400);
  // Nobody asks the store for what isn't a Table.
  const before = calls.length;
  await ask(path);
  assert.equal(calls.length, before);
});

test("a wrong count of cells, or of rows, is a 500 InternalError that says so", async (t) => {
  let rows: readonly (readonly unknown[])[] = [["only one"]];
  const { ask } = await startSeed(t, { stores: [tabulating(() => rows)] });
  await ask(path, { method: "POST", body: testType("foo") });
  const failed = async () => {
    const { status, body } = await ask(path, { headers: { accept } });
    return [status, body.reason, body.message];
  };
  const says = (text: string) => [500, "InternalError", `Internal error occurred: ${text}`];
  assert.deepEqual(await failed(), says("defined 2 columns but got 1 cells"));
  rows = [["a", "b", "c"]];
  assert.deepEqual(await failed(), says("defined 2 columns but got 3 cells"));
  rows = [];
  assert.deepEqual(await failed(), says("expected 1 rows but got 0"));
});

test("a store that can't show an object leaves it to the declared columns; one that fails is a 500 without its text", async (t) => {
  let code = Code.InvalidArgument;
  const store = tabulating(() => {
    throw new ConnectError("no: hunter2", code);
  });
  const { ask, logged } = await startSeed(t, { stores: [store] });
  const { metadata } = (await ask(path, { method: "POST", body: testType("foo") })).body;
  const answer = await ask(path, { headers: { accept } });
  assert.deepEqual(shown(answer)[3], [["foo", metadata.uid, null]]);
  code = Code.Internal;
  const failed = await ask(path, { headers: { accept } });
  assert.deepEqual([failed.status, failed.body.reason], [500, "InternalError"]);
  assert.doesNotMatch(failed.text, /hunter2/);
  assert.ok(logged.some(({ text }) => text === "a table's cells can't be made"));
});

test("a list of more than one batch keeps its order", async (t) => {
  let batches = 0;
  const store = tabulating(({ objects }) => {
    batches++;
    return objects.map(({ name }) => [name, ""]);
  });
  const { ask } = await startSeed(t, { stores: [store] });
  const names = Array.from({ length: 501 }, (_, at) => `n${String(at).padStart(3, "0")}`);
  for (let at = 0; at < names.length; at += 50) {
    const some = names.slice(at, at + 50);
    await Promise.all(some.map((name) => ask(path, { method: "POST", body: testType(name) })));
  }
  const { body } = await ask(path, { headers: { accept } });
  assert.deepEqual(
    body.rows.map(({ cells }: { cells: string[] }) => cells[1]),
    names,
  );
  assert.equal(batches, 2);
});

/** Opens a watch. */
async function watchTable(t: TestContext, port: number, query = "", headers: Record<string, string> = { accept }) {
  const asked = request({ host: "127.0.0.1", port, path: `${path}?watch=1${query}`, headers, agent: false });
  asked.on("error", () => {});
  asked.end();
  const [response] = (await once(asked, "response")) as [IncomingMessage];
  t.after(() => asked.destroy());
  const lines = createInterface({ input: response.on("error", () => {}) })[Symbol.asyncIterator]();
  return {
    /** Undefined: it has ended. */
    async next() {
      const { value, done } = await lines.next().catch(() => ({ value: "", done: true }));
      return done === true ? undefined : JSON.parse(value);
    },
    isCutOff: () => !response.complete,
  };
}

/** What an event shows of a Table: its type, columns and cells. */
// biome-ignore lint/suspicious/noExplicitAny: tests read what they know to be there.
const rowOf = ({ type, object }: any) => [
  type,
  object.columnDefinitions?.map(({ name }: { name: string }) => name),
  ...object.rows.map(({ cells }: { cells: unknown[] }) => cells),
];

test("a watch's rows have the store's cells, in order, however long it takes, and what is behind them waits", async (t) => {
  let calls = 0;
  let held = Promise.withResolvers<void>();
  const store = tabulating(async ({ objects }) => {
    calls++;
    await held.promise;
    return objects.map(({ name, json }) => [`foo of ${name}`, JSON.parse(Buffer.from(json).toString()).a]);
  });
  const { ask, port } = await startSeed(t, { stores: [store] });
  const create = async (name: string) => await ask(path, { method: "POST", body: testType(name, { a: 0 }) });
  for (const name of ["x", "y"]) await create(name);
  const initial = "&sendInitialEvents=true&allowWatchBookmarks=true&resourceVersionMatch=NotOlderThan";
  const watch = await watchTable(t, port, initial);
  await eventually(() => calls === 1, "the store is asked about the first");
  const { body } = await create("z");
  await ask(`${path}/z`, { method: "PUT", body: { ...body, a: 1 } });
  await ask(`${path}/x`, { method: "DELETE" });
  held.resolve();
  assert.deepEqual(rowOf(await watch.next()), ["ADDED", ["Name", "Foo", "Bar"], ["x", "foo of x", 0]]);
  assert.deepEqual(rowOf(await watch.next()), ["ADDED", undefined, ["y", "foo of y", 0]]);
  const mark = await watch.next();
  assert.deepEqual([mark.type, mark.object.rows.length], ["BOOKMARK", 1]);
  const after = [await watch.next(), await watch.next(), await watch.next()];
  assert.deepEqual(after.map(rowOf), [
    ["ADDED", undefined, ["z", "foo of z", 0]],
    ["MODIFIED", undefined, ["z", "foo of z", 1]],
    ["DELETED", undefined, ["x", "foo of x", 0]],
  ]);
  // While the store thinks, what comes in the meantime is asked about together.
  held = Promise.withResolvers();
  const before = calls;
  await create("first");
  await eventually(() => calls === before + 1, "the store is asked");
  for (const name of ["second", "third"]) await create(name);
  held.resolve();
  for (const name of ["first", "second", "third"]) assert.equal((await watch.next()).object.rows[0].cells[0], name);
  assert.equal(calls, before + 2);
  // Watches that are no Tables ask nothing.
  const plain = await watchTable(t, port, "", {});
  assert.equal((await plain.next()).object.metadata.name, "first");
  assert.equal(calls, before + 2);
});

test("a watch fails as a list does: the declared columns, or one ERROR that says what it may, and the end", async (t) => {
  let answer: () => Rows = () => {
    throw new ConnectError("no: hunter2", Code.InvalidArgument);
  };
  const { ask, port } = await startSeed(t, { stores: [tabulating(() => answer())] });
  const { metadata } = (await ask(path, { method: "POST", body: testType("foo") })).body;
  const watch = await watchTable(t, port);
  assert.deepEqual(rowOf(await watch.next()).at(-1), ["foo", metadata.uid, null]);
  answer = () => [["only one"]];
  await ask(path, { method: "POST", body: testType("bar") });
  const { type, object } = await watch.next();
  assert.deepEqual(
    [type, object.code, object.message],
    ["ERROR", 500, "Internal error occurred: defined 2 columns but got 1 cells"],
  );
  assert.equal(await watch.next(), undefined);
  assert.equal(watch.isCutOff(), false);
  for (const [code, said] of [
    [Code.Internal, { code: 500, reason: "InternalError" }],
    [Code.Unavailable, { code: 503, reason: "ServiceUnavailable" }],
  ] as const) {
    answer = () => {
      throw new ConnectError("no: hunter2", code);
    };
    const failing = await watchTable(t, port);
    const { object } = await failing.next();
    assert.deepEqual({ code: object.code, reason: object.reason }, said);
    assert.doesNotMatch(JSON.stringify(object), /hunter2/);
    assert.equal(await failing.next(), undefined);
  }
});

test("a watch whose rows don't come ends at its time, and the store is told that nobody waits", async (t) => {
  let isOver = false;
  const { promise: never } = Promise.withResolvers<Rows>();
  const store = tabulating(({ signal }) => {
    signal.addEventListener("abort", () => {
      isOver = true;
    });
    return never;
  });
  const { ask, port, logged } = await startSeed(t, { stores: [store] });
  await ask(path, { method: "POST", body: testType("foo") });
  const watch = await watchTable(t, port, "&timeoutSeconds=1");
  assert.equal(await watch.next(), undefined);
  assert.equal(watch.isCutOff(), false);
  await eventually(() => isOver, "the store's call ends");
  assert.deepEqual(
    logged.filter(({ level }) => level === "error"),
    [],
  );
});
