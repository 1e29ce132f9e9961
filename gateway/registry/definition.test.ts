import assert from "node:assert/strict";
import { test } from "node:test";
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { OwnerMatch, ResourceSchema, Scope, SubresourceKind, Verb } from "../../gen/annex/store/v1/catalog_pb.js";
import { DefinitionFault, definitionFrom } from "./definition.ts";

type ResourceInit = Exclude<MessageInitShape<typeof ResourceSchema>, { $typeName: string }>;

function read(change: ResourceInit) {
  const base = { group: "g.example.com", plural: "things", kind: "Thing", scope: Scope.CLUSTER, storageVersion: "v1" };
  return definitionFrom(create(ResourceSchema, { ...base, versions: [{ name: "v1", served: true }], ...change }));
}

const unary = { name: "poke", kind: SubresourceKind.UNARY, httpMethods: ["POST"] };

test("definitionFrom() reads custom subresources and owners", async () => {
  const { subresources, ownerScope } = await read({
    subresources: [unary, { ...unary, name: "shell", kind: SubresourceKind.STREAM, httpMethods: ["GET"] }],
    ownerScope: { fieldPath: ".spec.userID", match: OwnerMatch.UID, bypassVerb: "see" },
  });
  const responseKind = { group: "", version: "", kind: "Thing" };
  const acceptedTypes = ["application/json"];
  assert.deepEqual(subresources, [
    { name: "poke", kind: "unary", methods: ["POST"], responseKind, acceptedTypes },
    { name: "shell", kind: "stream", methods: ["GET"], responseKind, acceptedTypes },
  ]);
  assert.deepEqual(ownerScope, { path: ["spec", "userID"], match: "uid", bypassVerb: "see" });
});

test("definitionFrom() offers a watch that is made of lists", async () => {
  const { verbs, polledWatchMs } = await read({ verbs: [Verb.LIST], polledWatchIntervalMs: 100 });
  assert.deepEqual([verbs, polledWatchMs], [["list", "watch"], 100]);
});

test("definitionFrom() refuses what can't be served, with the path of the fault", async () => {
  const cases: [ResourceInit, RegExp][] = [
    [{ verbs: [Verb.WATCH] }, /^verbs: watch needs list$/],
    [{ polledWatchIntervalMs: 1_000 }, /^polled_watch_interval_ms: is for a resource with list and without watch$/],
    [
      { polledWatchIntervalMs: 1_000, verbs: [Verb.LIST, Verb.WATCH] },
      /^polled_watch_interval_ms: is for a resource with list and without watch$/,
    ],
    [{ polledWatchIntervalMs: 99, verbs: [Verb.LIST] }, /^polled_watch_interval_ms: must be at least 100$/],
    [{ verbs: [Verb.PATCH] }, /^verbs: patch needs get and update$/],
    [{ subresources: [{ ...unary, name: "Poke" }] }, /^subresources\[0\]\.name: "Poke" is no DNS label$/],
    [{ subresources: [{ ...unary, name: "status" }] }, /^subresources\[0\]\.name: status stands in a version$/],
    [{ subresources: [unary, unary] }, /^subresources\[1\]\.name: "poke" is there twice$/],
    [{ subresources: [{ ...unary, kind: 0 }] }, /^subresources\[0\]\.kind: must be unary or stream$/],
    [{ subresources: [{ ...unary, httpMethods: [] }] }, /^subresources\[0\]\.http_methods: at least one is required$/],
    [{ subresources: [{ ...unary, httpMethods: ["post"] }] }, /^subresources\[0\]\.http_methods: "post" is none of /],
    [
      { subresources: [{ ...unary, kind: SubresourceKind.STREAM }] },
      /^subresources\[0\]\.http_methods: a stream needs GET/,
    ],
    [
      { subresources: [{ ...unary, responseGroup: "x" }] },
      /^subresources\[0\]\.response_kind: a group needs a version/,
    ],
    [
      { ownerScope: { fieldPath: "spec.user", match: OwnerMatch.NAME } },
      /^owner_scope\.field_path: "spec\.user" is no path/,
    ],
    [{ ownerScope: { fieldPath: ".spec.user" } }, /^owner_scope\.match: must be name or uid$/],
  ];
  for (const [change, fault] of cases) {
    await assert.rejects(
      async () => await read(change),
      (error: unknown) => error instanceof DefinitionFault && fault.test(error.message),
      String(fault),
    );
  }
});
