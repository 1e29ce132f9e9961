/** What is promised of hooks: those that are declared are offered, change no identity and keep the order of a batch. */
import { Code, ConnectError } from "@connectrpc/connect";
import { Operation } from "../../../gen/annex/store/v1/hook_pb.js";
import { type Kit, nameOf, refused } from "../kit.ts";
import { Broken, hold, promisesOf, same, text } from "../promise.ts";

const verbs = promisesOf("verbs");
/** The largest batch that the contract has. */
const batch = 500;

interface Shown {
  readonly apiVersion?: string;
  readonly kind?: string;
  readonly metadata?: { readonly name?: string; readonly namespace?: string; readonly uid?: string };
}

export const hookPromises = [
  verbs(
    "hook.mutate",
    "Mutate answers with nothing or the object, as the same one; or it denies.",
    { has: ["HOOK_MUTATE"] },
    async (kit) => {
      for (const dryRun of [false, true]) {
        for (const operation of [Operation.CREATE, Operation.UPDATE]) {
          const request = admission(kit, operation, dryRun);
          const answer = await admitted(kit.endpoint.hook.mutate(request));
          if (answer === undefined || answer.objectJson.length === 0) continue;
          same(identity(answer.objectJson), identity(request.objectJson), "the object that Mutate gives");
        }
      }
    },
  ),
  verbs(
    "hook.validate",
    "Validate answers with causes that say what is wrong, or denies; and a dry run as the write itself.",
    { has: ["HOOK_VALIDATE"] },
    async (kit) => {
      for (const operation of [Operation.CREATE, Operation.UPDATE, Operation.DELETE]) {
        const verdicts: unknown[] = [];
        for (const dryRun of [false, true]) {
          const answer = await admitted(kit.endpoint.hook.validate(admission(kit, operation, dryRun)));
          for (const cause of answer?.causes ?? []) hold(cause.message !== "", "a cause has no message");
          verdicts.push(answer === undefined ? "denied" : answer.causes.map(({ field, reason }) => [field, reason]));
        }
        same(verdicts[1], verdicts[0], "the verdict of a dry run");
      }
    },
  ),
  verbs(
    "hook.convert",
    "Convert gives each object in the version that was asked for, as the same one.",
    { has: ["HOOK_CONVERT"] },
    async (kit) => {
      for (const version of versionsOf(kit)) {
        const [json] = objects(kit, 1);
        const [converted] = await convert(kit, version, [json ?? new Uint8Array()]);
        const [, ...rest] = identity(json);
        same(identity(converted), [`${kit.subject.ref.group}/${version}`, ...rest], `the object in ${version}`);
        const [back] = await convert(kit, kit.subject.ref.version, [converted ?? new Uint8Array()]);
        same(identity(back), identity(json), `the object from ${version} back`);
      }
    },
  ),
  verbs(
    "hook.convert-batches",
    "Convert keeps number and order of a batch of five hundred, and gives each object as it gives it alone.",
    { has: ["HOOK_CONVERT"] },
    async (kit) => {
      for (const version of versionsOf(kit)) {
        const jsons = objects(kit, batch);
        const converted = await convert(kit, version, jsons);
        same(
          converted.map((json) => identity(json)[2]),
          jsons.map((json) => identity(json)[2]),
          `names of a batch in ${version}`,
        );
        for (const at of [0, 7, batch - 1]) {
          const [alone] = await convert(kit, version, jsons.slice(at, at + 1));
          same(text(converted[at]), text(alone), `object ${at} of a batch in ${version}`);
        }
        same(await convert(kit, version, []), [], "a batch of nothing");
      }
    },
  ),
  verbs(
    "hook.tabulate",
    "Tabulate gives as many cells of JSON as there are columns.",
    { has: ["HOOK_TABULATE"] },
    async (kit) => {
      const columns = kit.subject.resource.versions.find(({ name }) => name === kit.subject.ref.version)?.columns ?? [];
      const [row] = await tabulate(kit, objects(kit, 1));
      const cells = row ?? [];
      if (columns.length > 0) same(cells.length, columns.length, "cells of a row");
      for (const cell of cells) JSON.parse(cell);
    },
  ),
  verbs(
    "hook.tabulate-batches",
    "Tabulate keeps number and order of a batch of five hundred, and gives each row as it gives it alone.",
    { has: ["HOOK_TABULATE"] },
    async (kit) => {
      const jsons = objects(kit, batch);
      const rows = await tabulate(kit, jsons);
      same(rows.length, batch, "rows");
      for (const at of [0, 7, batch - 1]) {
        const [alone] = await tabulate(kit, jsons.slice(at, at + 1), at);
        same(rows[at], alone, `row ${at} of a batch`);
      }
    },
  ),
  verbs(
    "hook.by-session",
    "A hook by session is answered as by RPC.",
    { has: ["HOOK_VALIDATE"], offers: "session" },
    async (kit) => {
      const { endpoint } = kit.bySession();
      const request = admission(kit, Operation.CREATE, false);
      const [byRpc, bySession] = [
        await admitted(kit.endpoint.hook.validate(request)),
        await admitted(endpoint.hook.validate(request)),
      ];
      same(bySession?.causes.length, byRpc?.causes.length, "causes by session");
    },
  ),
  verbs(
    "hook.unknown-resource",
    "A hook for a resource that isn't described is UNIMPLEMENTED.",
    { has: ["HOOK_VALIDATE"] },
    async (kit) => {
      const request = admission(kit, Operation.CREATE, false);
      const resource = { ...request.resource, plural: "nobodys" };
      await refused(kit.endpoint.hook.validate({ ...request, resource }), Code.Unimplemented, "a hook");
    },
  ),
];

function versionsOf(kit: Kit): readonly string[] {
  return kit.subject.resource.versions.map(({ name }) => name).filter((name) => name !== kit.subject.ref.version);
}

/** Objects in the storage version that nobody writes. */
function objects(kit: Kit, count: number): readonly Uint8Array[] {
  return Array.from({ length: count }, (_, at) => kit.json(kit.key(`h-${at}`), `payload ${at}`));
}

function admission(kit: Kit, operation: Operation, dryRun: boolean) {
  const key = kit.key("hooked");
  const json = kit.json(key, 2);
  return {
    context: kit.context(),
    resource: kit.subject.ref,
    operation,
    key,
    objectJson: operation === Operation.DELETE ? new Uint8Array() : json,
    oldObjectJson: operation === Operation.CREATE ? new Uint8Array() : kit.json(key, 1),
    dryRun,
  };
}

/** Gives what a hook of a write answers; undefined if it denies. @throws Broken if it fails otherwise. */
async function admitted<T>(call: Promise<T>): Promise<T | undefined> {
  try {
    return await call;
  } catch (error) {
    const { code, rawMessage } = ConnectError.from(error);
    if (code === Code.PermissionDenied) return undefined;
    throw new Broken(`the hook failed with ${nameOf(code)} (${rawMessage})`);
  }
}

async function convert(kit: Kit, targetVersion: string, objectsJson: readonly Uint8Array[]) {
  const { group } = kit.subject.ref;
  const { kind } = kit.subject.resource;
  const request = { requestId: kit.context().requestId, group, kind, targetVersion, objectsJson: [...objectsJson] };
  const answer = await kit.endpoint.hook.convert(request);
  same(answer.objectsJson.length, objectsJson.length, "objects that were converted");
  return answer.objectsJson;
}

/** The cells of each object, as text. `from` is the number of the first among those of a batch. */
async function tabulate(kit: Kit, jsons: readonly Uint8Array[], from = 0): Promise<readonly (readonly string[])[]> {
  const shown = jsons.map((json, at) => ({
    key: kit.key(`h-${from + at}`),
    revision: 1n,
    uid: `uid-h-${from + at}`,
    json,
  }));
  const request = { context: kit.context(), resource: kit.subject.ref, objects: shown };
  const { rows } = await kit.endpoint.hook.tabulate(request);
  return rows.map(({ cellsJson }) => cellsJson.map(text));
}

/** apiVersion, kind, name, namespace and uid. */
function identity(json: Uint8Array | undefined): readonly unknown[] {
  const { apiVersion, kind, metadata } = JSON.parse(text(json)) as Shown;
  return [apiVersion, kind, metadata?.name, metadata?.namespace, metadata?.uid];
}
