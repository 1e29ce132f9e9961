import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { gunzipSync } from "node:zlib";
import type { HttpAnswer, HttpRequest } from "../apimachinery/http.ts";
import type { JsonObject } from "../apimachinery/json.ts";
import { definitionWith, tableWith, versionWith } from "../apimachinery/resource.fixture.ts";
import type { ResourceTable } from "../apimachinery/resource.ts";
import { createOpenApi, type OpenApi } from "./openapi.ts";

const v1Key = "/openapi/v3/apis/example.com/v1";
const started = new Date("2026-11-24T10:00:00Z");
const schema: JsonObject = {
  type: "object",
  description: "A widget.",
  required: ["spec"],
  properties: {
    metadata: { type: "object" },
    spec: {
      type: "object",
      required: ["size", "maybe"],
      properties: {
        size: { type: "integer", format: "int32", default: 1, minimum: 0 },
        port: { "x-kubernetes-int-or-string": true },
        limited: { "x-kubernetes-int-or-string": true, anyOf: [{ pattern: "x" }] },
        maybe: { type: "array", nullable: true, items: { type: "string" } },
        open: { type: "object", "x-kubernetes-preserve-unknown-fields": true, properties: { a: { type: "string" } } },
        list: {
          type: "array",
          items: { type: "object", oneOf: [{ required: ["a"] }], properties: { a: { type: "string" } } },
        },
        map: { type: "object", additionalProperties: { type: "string", default: "d" } },
        inner: { type: "object", "x-kubernetes-embedded-resource": true, properties: { spec: { type: "string" } } },
      },
    },
  },
};
const widgets = definitionWith({
  versions: [
    versionWith({
      schema,
      status: true,
      scale: { specReplicasPath: ".spec.n", statusReplicasPath: ".status.n", labelSelectorPath: "" },
      selectableFields: [".spec.size"],
    }),
    versionWith({ name: "v1beta1", served: false }),
  ],
});
const gears = definitionWith({
  group: "gears.k8s.io",
  plural: "gears",
  kind: "Gear",
  listKind: "GearList",
  namespaced: false,
  verbs: ["get", "list"],
  versions: [versionWith({ schema: { type: "object", "x-kubernetes-preserve-unknown-fields": true } })],
});
const table = tableWith(widgets, gears);

function requestFor(path: string, headers: Readonly<Record<string, string>> = {}, query = ""): HttpRequest {
  return {
    method: "GET",
    uri: path,
    path,
    query,
    httpVersion: "1.1",
    header: (name) => headers[name],
    headers: (name) => (headers[name] === undefined ? [] : [headers[name]]),
    rawHeaders: [],
    remoteAddress: "",
    peerCertificate: () => undefined,
    signal: new AbortController().signal,
    body: async () => Buffer.alloc(0),
  };
}

async function ask(
  path: string,
  headers: Readonly<Record<string, string>> = {},
  {
    query = "",
    api = createOpenApi({ clock: () => started }),
    of = table,
  }: { query?: string; api?: OpenApi; of?: ResourceTable } = {},
): Promise<HttpAnswer> {
  const answer = await api.answer(requestFor(path, headers, query), of);
  assert.ok(answer !== undefined);
  return answer;
}

function bytesOf(answer: HttpAnswer): Buffer {
  assert.ok(answer.body instanceof Buffer);
  return answer.body;
}

// biome-ignore lint/suspicious/noExplicitAny: a document is looked into, not modelled.
async function documentOf(path: string): Promise<any> {
  return JSON.parse(bytesOf(await ask(path)).toString());
}

const gvk = (kind: string) => ({ group: "example.com", kind, version: "v1" });
const apiVersion = { description: "Group and version of the schema that the object follows.", type: "string" };
const kind = { description: "What the object is: the name of its schema, in CamelCase.", type: "string" };
const objectMeta = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta";

test("createOpenApi() leaves other paths alone", async () => {
  for (const path of ["/openapi", "/openapi/v2/", "/apis"]) {
    assert.equal(await createOpenApi().answer(requestFor(path), table), undefined, path);
  }
});

test("the index names each version's document by its hash", async () => {
  const index = await ask("/openapi/v3");
  const hashes: string[] = [];
  for (const key of ["apis/example.com/v1", "apis/gears.k8s.io/v1"]) {
    const bytes = bytesOf(await ask(`/openapi/v3/${key}`));
    hashes.push(createHash("sha512").update(bytes).digest("hex").toUpperCase());
  }
  assert.equal(
    bytesOf(index).toString(),
    `{"paths":{"apis/example.com/v1":{"serverRelativeURL":"/openapi/v3/apis/example.com/v1?hash=${hashes[0]}"},` +
      `"apis/gears.k8s.io/v1":{"serverRelativeURL":"/openapi/v3/apis/gears.k8s.io/v1?hash=${hashes[1]}"}}}`,
  );
  assert.deepEqual(index.headers, {
    ETag: `"${createHash("sha512").update(bytesOf(index)).digest("hex").toUpperCase()}"`,
    "Last-Modified": "Tue, 24 Nov 2026 10:00:00 GMT",
    "Content-Type": "application/json",
  });
});

test("a document of v3 has Vary, and is immutable under its own hash", async () => {
  const plain = await ask(v1Key);
  assert.equal(plain.headers["Vary"], "Accept");
  assert.equal(plain.headers["Cache-Control"], undefined);
  const hash = String(plain.headers["ETag"]).slice(1, -1);
  const named = await ask(v1Key, {}, { query: `hash=${hash}` });
  assert.equal(named.status, 200);
  assert.equal(named.headers["Cache-Control"], "public, immutable");
  assert.equal(named.headers["Expires"], "Wed, 24 Nov 2027 10:00:00 UTC");
  const stale = await ask(v1Key, {}, { query: "hash=ABC" });
  assert.deepEqual(stale, {
    status: 301,
    headers: { Location: `${v1Key}?hash=${hash}`, Vary: "Accept" },
    body: Buffer.alloc(0),
  });
});

test("a client that has the document gets 304", async () => {
  for (const path of [v1Key, "/openapi/v3", "/openapi/v2"]) {
    const etag = String((await ask(path)).headers["ETag"]);
    for (const known of [etag, `W/${etag}`, `"x", ${etag}`, "*"]) {
      const answer = await ask(path, { "if-none-match": known });
      assert.equal(answer.status, 304, known);
      assert.equal(answer.headers["ETag"], etag);
      assert.equal(bytesOf(answer).length, 0);
    }
    assert.equal((await ask(path, { "if-none-match": '"x"' })).status, 200);
  }
});

test("an unknown key is 404, an unknown form 406, both empty", async () => {
  for (const key of ["", "apis", "apis/none.io/v1", "apis/example.com/v1beta1"]) {
    assert.deepEqual(await ask(`/openapi/v3/${key}`), { status: 404, headers: {}, body: Buffer.alloc(0) }, key);
  }
  const protobuf = "application/com.github.proto-openapi.spec.v3@v1.0+protobuf";
  const varies = { "/openapi/v2": ["Accept-Encoding", "Accept"], [v1Key]: "Accept" };
  for (const [path, vary] of Object.entries(varies)) {
    const headers = { Vary: vary };
    assert.deepEqual(await ask(path, { accept: protobuf }), { status: 406, headers, body: Buffer.alloc(0) });
    for (const accept of [`${protobuf}, application/json`, "application/*", "*/*;q=0.1", ""]) {
      assert.equal((await ask(path, { accept })).status, 200, accept);
    }
  }
});

test("v2 as protobuf: the definitions under the tag of the JSON, by the older and the newer name of its type", async () => {
  const json = await ask("/openapi/v2");
  const newer = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf";
  for (const accept of ["application/com.github.proto-openapi.spec.v2@v1.0+protobuf", newer]) {
    const { status, headers, body } = await ask("/openapi/v2", { accept });
    assert.deepEqual([status, headers["Content-Type"], headers["ETag"]], [200, newer, json.headers["ETag"]]);
    const text = (body as Buffer).toString("latin1");
    assert.ok(text.startsWith("\n\x032.0\x12\x0f\n\x05Annex\x12\x06v0.1.0J"));
    assert.ok(text.includes("\n\x04size\x12"), "size is no property");
    assert.ok(text.includes("x-kubernetes-group-version-kind\x12"), "no kind is named");
    assert.doesNotMatch(text, /operationId/);
  }
});

test("documents are made once for a table, and again for the next", async () => {
  const api = createOpenApi();
  const first = bytesOf(await ask(v1Key, {}, { api }));
  assert.equal(bytesOf(await ask(v1Key, {}, { api })), first);
  const next = tableWith(
    definitionWith({ versions: [versionWith({ schema: { type: "object", description: "New." } })] }),
  );
  assert.notEqual(bytesOf(await ask(v1Key, {}, { api, of: next })).toString(), first.toString());
});

test("a large document is packed for who takes gzip", async () => {
  const properties: JsonObject = {};
  for (let index = 0; index < 3000; index++)
    properties[`field${index}`] = { type: "string", description: "x".repeat(50) };
  const of = tableWith(definitionWith({ versions: [versionWith({ schema: { type: "object", properties } })] }));
  const plain = await ask(v1Key, {}, { of });
  const packed = await ask(v1Key, { "accept-encoding": "gzip" }, { of });
  assert.equal(packed.headers["Content-Encoding"], "gzip");
  assert.deepEqual(packed.headers["Vary"], ["Accept-Encoding", "Accept"]);
  assert.equal(packed.headers["ETag"], plain.headers["ETag"]);
  assert.ok(gunzipSync(bytesOf(packed)).equals(bytesOf(plain)));
  assert.equal((await ask(v1Key, { "accept-encoding": "gzip" })).headers["Content-Encoding"], undefined);
});

test("v3 shows a kind's schema whole, with what it leaves unsaid", async () => {
  const document = await documentOf(v1Key);
  assert.equal(document.openapi, "3.0.0");
  const metadata = {
    allOf: [{ $ref: `#/components/schemas/${objectMeta}` }],
    default: {},
    description: "What every object carries about itself.",
  };
  const twoTypes = { anyOf: [{ type: "integer" }, { type: "string" }] };
  assert.deepEqual(document.components.schemas["com.example.v1.Widget"], {
    type: "object",
    description: "A widget.",
    required: ["spec"],
    properties: {
      apiVersion,
      kind,
      metadata,
      spec: {
        type: "object",
        required: ["size", "maybe"],
        properties: {
          size: { type: "integer", format: "int32", default: 1, minimum: 0 },
          port: { "x-kubernetes-int-or-string": true, ...twoTypes },
          limited: { "x-kubernetes-int-or-string": true, anyOf: [{ pattern: "x" }], allOf: [twoTypes] },
          maybe: { type: "array", nullable: true, items: { type: "string" } },
          open: { type: "object", "x-kubernetes-preserve-unknown-fields": true, properties: { a: { type: "string" } } },
          list: {
            type: "array",
            items: { type: "object", oneOf: [{ required: ["a"] }], properties: { a: { type: "string" } } },
          },
          map: { type: "object", additionalProperties: { type: "string", default: "d" } },
          inner: {
            type: "object",
            "x-kubernetes-embedded-resource": true,
            properties: { apiVersion, kind, metadata, spec: { type: "string" } },
            required: ["kind", "apiVersion"],
          },
        },
      },
    },
    "x-kubernetes-group-version-kind": [gvk("Widget")],
    "x-kubernetes-selectable-fields": [{ fieldPath: "spec.size" }],
  });
});

test("v2 leaves out what it has no word for", async () => {
  const document = await documentOf("/openapi/v2");
  assert.equal(document.swagger, "2.0");
  const metadata = { $ref: `#/definitions/${objectMeta}`, description: "What every object carries about itself." };
  assert.deepEqual(document.definitions["com.example.v1.Widget"].properties, {
    apiVersion,
    kind,
    metadata,
    spec: {
      type: "object",
      required: ["size"],
      properties: {
        size: { type: "integer", format: "int32", minimum: 0 },
        port: { "x-kubernetes-int-or-string": true },
        limited: { "x-kubernetes-int-or-string": true },
        maybe: {},
        open: { "x-kubernetes-preserve-unknown-fields": true },
        list: { type: "array", items: { type: "object", properties: { a: { type: "string" } } } },
        map: { type: "object", additionalProperties: { type: "string" } },
        inner: {
          type: "object",
          "x-kubernetes-embedded-resource": true,
          properties: { apiVersion, kind, metadata, spec: { type: "string" } },
          required: ["kind", "apiVersion"],
        },
      },
    },
  });
  assert.deepEqual(document.definitions["io.k8s.gears.v1.Gear"], {
    type: "object",
    "x-kubernetes-group-version-kind": [{ group: "gears.k8s.io", kind: "Gear", version: "v1" }],
  });
});

test("a list's schema names the kind of its items", async () => {
  const document = await documentOf(v1Key);
  const list = document.components.schemas["com.example.v1.WidgetList"];
  assert.deepEqual(list.properties.items.items, { $ref: "#/components/schemas/com.example.v1.Widget" });
  assert.deepEqual(list["x-kubernetes-group-version-kind"], [gvk("WidgetList")]);
  assert.deepEqual(list.required, ["items"]);
});

test("every reference is to what the document has", async () => {
  for (const path of [v1Key, "/openapi/v3/apis/gears.k8s.io/v1", "/openapi/v2"]) {
    const document = await documentOf(path);
    const named = Object.keys(document.definitions ?? document.components.schemas);
    const refs = [...JSON.stringify(document).matchAll(/"\$ref":"#\/(?:definitions|components\/schemas)\/([^"]+)"/g)];
    assert.ok(refs.length > 10);
    for (const [, name = ""] of refs) assert.ok(named.includes(name), name);
  }
});

test("a resource's paths and operations are those that it offers", async () => {
  const { paths } = await documentOf(v1Key);
  const root = "/apis/example.com/v1";
  const one = `${root}/namespaces/{namespace}/widgets/{name}`;
  const operations = (of: Record<string, Record<string, JsonObject>>) =>
    Object.fromEntries(
      Object.entries(of).map(([path, item]) => [
        path,
        Object.fromEntries(
          Object.entries(item)
            .filter(([method]) => method !== "parameters")
            .map(([method, operation]) => [method, `${operation["operationId"]} ${operation["x-kubernetes-action"]}`]),
        ),
      ]),
    );
  assert.deepEqual(operations(paths), {
    [`${root}/widgets`]: { get: "listExampleComV1WidgetForAllNamespaces list" },
    [`${root}/namespaces/{namespace}/widgets`]: {
      get: "listExampleComV1NamespacedWidget list",
      post: "createExampleComV1NamespacedWidget post",
      delete: "deleteExampleComV1CollectionNamespacedWidget deletecollection",
    },
    [one]: {
      get: "readExampleComV1NamespacedWidget get",
      put: "replaceExampleComV1NamespacedWidget put",
      patch: "patchExampleComV1NamespacedWidget patch",
      delete: "deleteExampleComV1NamespacedWidget delete",
    },
    [`${one}/status`]: {
      get: "readExampleComV1NamespacedWidgetStatus get",
      put: "replaceExampleComV1NamespacedWidgetStatus put",
      patch: "patchExampleComV1NamespacedWidgetStatus patch",
    },
    [`${one}/scale`]: {
      get: "readExampleComV1NamespacedWidgetScale get",
      put: "replaceExampleComV1NamespacedWidgetScale put",
      patch: "patchExampleComV1NamespacedWidgetScale patch",
    },
  });
  const reduced = await documentOf("/openapi/v3/apis/gears.k8s.io/v1");
  assert.deepEqual(operations(reduced.paths), {
    "/apis/gears.k8s.io/v1/gears": { get: "listGearsV1Gear list" },
    "/apis/gears.k8s.io/v1/gears/{name}": { get: "readGearsV1Gear get" },
  });
});

test("PATCH tells kubectl what it looks for: the kind, dryRun, fieldValidation, the media types", async () => {
  const path = "/apis/example.com/v1/namespaces/{namespace}/widgets/{name}";
  const v3 = (await documentOf(v1Key)).paths[path].patch;
  const v2 = (await documentOf("/openapi/v2")).paths[path].patch;
  for (const patch of [v3, v2]) {
    assert.deepEqual(patch["x-kubernetes-group-version-kind"], gvk("Widget"));
    assert.deepEqual(patch.tags, ["exampleCom_v1"]);
    const query = patch.parameters
      .filter((one: JsonObject) => one["in"] === "query")
      .map((one: JsonObject) => one["name"]);
    assert.deepEqual(query, ["dryRun", "fieldManager", "fieldValidation", "force", "pretty"]);
  }
  const types = ["application/json-patch+json", "application/merge-patch+json", "application/apply-patch+yaml"];
  assert.deepEqual(Object.keys(v3.requestBody.content), types.toSorted());
  assert.deepEqual(v2.consumes, types);
});

test("a body is required of every write, but for DeleteOptions", async () => {
  const path = "/apis/example.com/v1/namespaces/{namespace}/widgets";
  const v3 = (await documentOf(v1Key)).paths;
  const v2 = (await documentOf("/openapi/v2")).paths;
  const writes = { post: path, put: `${path}/{name}`, patch: `${path}/{name}/scale`, delete: `${path}/{name}` };
  for (const [method, at] of Object.entries(writes)) {
    const required = method === "delete" ? undefined : true;
    assert.equal(v3[at][method].requestBody.required, required, `v3 ${method}`);
    const body = v2[at][method].parameters.find((one: JsonObject) => one["in"] === "body");
    assert.equal(body.required, required, `v2 ${method}`);
  }
});

test("v2 knows DeleteOptions as one of every group and version, v3 of its own", async () => {
  const name = "io.k8s.apimachinery.pkg.apis.meta.v1.DeleteOptions";
  const kinds = (groups: string[]) => groups.map((group) => ({ group, kind: "DeleteOptions", version: "v1" }));
  const v2 = (await documentOf("/openapi/v2")).definitions[name];
  assert.deepEqual(v2["x-kubernetes-group-version-kind"], kinds(["", "example.com", "gears.k8s.io"]));
  const v3 = (await documentOf(v1Key)).components.schemas[name];
  assert.deepEqual(v3["x-kubernetes-group-version-kind"], kinds(["", "example.com"]));
});
