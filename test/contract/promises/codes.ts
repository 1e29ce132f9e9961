/** What is promised of refusals: each row of the contract's table of codes that a caller can bring about. */
import { Code, ConnectError } from "@connectrpc/connect";
import { ErrorDetailSchema } from "../../../gen/annex/store/v1/error_pb.js";
import { codeOf, type Kit, nameOf, refused } from "../kit.ts";
import { hold, promisesOf, type VerbWord } from "../promise.ts";

const wire = promisesOf("wire");

export const codePromises = [
  wire(
    "code.unknown-resource-read",
    "Reads of a resource that isn't described are UNIMPLEMENTED.",
    { verbs: "get" },
    async (kit) => {
      const resource = { ...kit.subject.ref, plural: "nobodys" };
      const context = kit.context();
      await refused(kit.store.get({ context, resource, key: kit.key() }), Code.Unimplemented, "a get");
      await refused(drained(kit.store.list({ context, resource })), Code.Unimplemented, "a list");
      await refused(drained(kit.store.watch({ context, resource })), Code.Unimplemented, "a watch");
      await refused(kit.store.currentRevision({ context, resource }), Code.Unimplemented, "CurrentRevision");
    },
  ),
  wire(
    "code.unknown-resource-write",
    "Writes to a resource that isn't described are UNIMPLEMENTED.",
    { verbs: "get" },
    async (kit) => {
      const resource = { ...kit.subject.ref, group: `nobodys.${kit.subject.ref.group}` };
      const key = kit.key();
      const context = kit.context();
      const object = { key, uid: "u", json: kit.json(key, 1) };
      const preconditions = { revision: 1n };
      await refused(kit.store.create({ context, resource, object }), Code.Unimplemented, "a create");
      await refused(kit.store.update({ context, resource, object, preconditions }), Code.Unimplemented, "an update");
      await refused(kit.store.delete({ context, resource, key, preconditions }), Code.Unimplemented, "a delete");
    },
  ),
  wire(
    "code.unknown-resource",
    "A call about a resource that isn't described is UNIMPLEMENTED, whatever the store serves.",
    {},
    async (kit) => {
      const resource = { group: "nobodys.annex.dev", version: "v1", plural: "nobodys", subresource: "" };
      const key = { namespace: "default", name: "a" };
      await refused(kit.store.get({ context: kit.context(), resource, key }), Code.Unimplemented, "a get");
    },
  ),
  wire(
    "code.undeclared-verb",
    "A verb that a resource doesn't declare is UNIMPLEMENTED, and has no effect.",
    {},
    async (kit) => {
      for (const subject of kit.parts.subjects) {
        for (const [verb, call] of verbCalls(kit, subject)) {
          if (!subject.can(verb)) await refused(call(), Code.Unimplemented, `${verb} of ${subject.label}`);
        }
      }
    },
  ),
  wire(
    "code.subresource",
    "A call that names a subresource is no call about the object.",
    { verbs: "create get" },
    async (kit) => {
      const made = await kit.make();
      const resource = { ...kit.subject.ref, subresource: "nobodys" };
      await refused(
        kit.store.get({ context: kit.context(), resource, key: made.key }),
        [Code.Unimplemented, Code.InvalidArgument],
        "a get of a subresource",
      );
    },
  ),
  wire("code.no-name", "A key without a name is INVALID_ARGUMENT.", { verbs: "create get" }, async (kit) => {
    const key = { ...kit.key(), name: "" };
    await refusedKey(kit, key, "a key without a name");
  }),
  wire("code.slash", "A key with a slash is INVALID_ARGUMENT.", { verbs: "create get" }, async (kit) => {
    await refusedKey(kit, { ...kit.key(), name: "a/b" }, "a name with a slash");
    if (kit.subject.isNamespaced) await refusedKey(kit, { ...kit.key(), namespace: "a/b" }, "a namespace with a slash");
  }),
  wire(
    "code.no-namespace",
    "A key without a namespace is INVALID_ARGUMENT for a namespaced resource.",
    { verbs: "create get", isNamespaced: true },
    async (kit) => {
      await refusedKey(kit, { ...kit.key(), namespace: "" }, "a key without a namespace");
    },
  ),
  wire(
    "code.namespace-of-cluster",
    "A key with a namespace is INVALID_ARGUMENT for a resource that has none.",
    { verbs: "" },
    async (kit) => {
      for (const subject of kit.parts.subjects) {
        if (subject.isNamespaced || !subject.can("create") || !subject.can("get")) continue;
        const key = { ...kit.key(undefined, subject), namespace: "ns" };
        await refused(kit.get(key, { about: subject }), Code.InvalidArgument, "a get with a namespace");
        await refused(kit.make(1, { key, about: subject }), Code.InvalidArgument, "a create with a namespace");
      }
    },
  ),
  wire(
    "code.empty-request",
    "A request with nothing in it is refused as the caller's fault, and the store lives on.",
    { verbs: "create get" },
    async (kit) => {
      const theirs = [Code.InvalidArgument, Code.Unimplemented];
      await refused(kit.store.get({}), theirs, "an empty get");
      await refused(kit.store.create({}), theirs, "an empty create");
      await refused(kit.store.update({}), theirs, "an empty update");
      await refused(kit.store.delete({}), theirs, "an empty delete");
      await refused(drained(kit.store.list({})), theirs, "an empty list");
      await refused(drained(kit.store.watch({})), theirs, "an empty watch");
      await kit.make();
    },
  ),
  wire(
    "code.no-object",
    "A write without an object is refused as the caller's fault.",
    { verbs: "create get" },
    async (kit) => {
      const request = { context: kit.context(), resource: kit.subject.ref };
      await refused(kit.store.create(request), Code.InvalidArgument, "a create without an object");
    },
  ),
  wire(
    "code.one-detail",
    "A refusal carries at most one detail, of the contract's type.",
    { verbs: "create get update" },
    async (kit) => {
      const made = await kit.make(1);
      await kit.put(made, 2);
      const errors = await Promise.all(
        [
          kit.make(3, { key: made.key }),
          kit.put(made, 3),
          kit.get(kit.key()),
          kit.list({ token: Buffer.from("x") }),
        ].map(errorOf),
      );
      for (const error of errors) {
        if (error === undefined) continue;
        const details = error.findDetails(ErrorDetailSchema);
        hold(details.length <= 1, `${nameOf(error.code)} carries ${details.length} details`);
        hold(error.details.length === details.length, `${nameOf(error.code)} carries a detail of another type`);
      }
    },
  ),
  wire(
    "code.known",
    "A refusal has a code of the contract's table, never UNKNOWN or INTERNAL.",
    { verbs: "create get" },
    async (kit) => {
      const made = await kit.make();
      const odd = [
        codeOf(kit.make(1, { key: made.key })),
        codeOf(kit.get(kit.key())),
        codeOf(
          kit.store.update({ context: kit.context(), resource: kit.subject.ref, object: { key: made.key, uid: "u" } }),
        ),
        codeOf(
          kit.store.delete({ context: kit.context(), resource: kit.subject.ref, key: kit.key(), preconditions: {} }),
        ),
        codeOf(kit.list({ token: Buffer.from('["9999999999999999999999999999","x"]') })),
        codeOf(kit.list({ token: new Uint8Array(4_096) })),
      ];
      for (const code of await Promise.all(odd)) {
        hold(code !== Code.Unknown && code !== Code.Internal, `a call failed with ${nameOf(code)}`);
      }
    },
  ),
];

async function errorOf(call: Promise<unknown>): Promise<ConnectError | undefined> {
  return await call.then(
    () => undefined,
    (error: unknown) => ConnectError.from(error),
  );
}

async function drained(stream: AsyncIterable<unknown>): Promise<void> {
  for await (const _ of stream);
}

async function refusedKey(kit: Kit, key: ReturnType<Kit["key"]>, what: string): Promise<void> {
  await refused(kit.make(1, { key }), Code.InvalidArgument, `a create with ${what}`);
  await refused(kit.get(key), Code.InvalidArgument, `a get with ${what}`);
}

/** A call for each verb that has one. */
function verbCalls(kit: Kit, subject: Kit["subject"]): readonly (readonly [VerbWord, () => Promise<unknown>])[] {
  const key = kit.key(undefined, subject);
  const request = { context: kit.context(), resource: subject.ref };
  const object = { key, uid: "u", json: kit.json(key, 1, subject) };
  const preconditions = { revision: 1n };
  return [
    ["get", () => kit.store.get({ ...request, key })],
    ["list", () => drained(kit.store.list(request))],
    ["watch", () => drained(kit.store.watch(request))],
    ["create", () => kit.store.create({ ...request, object })],
    ["update", () => kit.store.update({ ...request, object, preconditions })],
    ["delete", () => kit.store.delete({ ...request, key, preconditions })],
  ];
}
