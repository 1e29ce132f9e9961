/**
 * Kinds joined into a store: one order for all of them, each call to the kind that it is about.
 */
import { Code, ConnectError } from "@connectrpc/connect";
import { createHistory, type History, idOf } from "./history.ts";
import type { Kind, KindHandlers } from "./kinds.ts";
import type { Call, Store, StoreHealth } from "./store.ts";

/** What a store is made of. */
export interface StoreDefinition {
  /** For logs. */
  readonly name: string;
  /** Of the implementation, for logs. */
  readonly version: string;
  readonly kinds: readonly Kind[];
  /** Default: JSON lines on stderr. */
  readonly log?: (fields: object, message: string) => void;
}

/** Makes a store. Kinds that are loaded begin to load. */
export function defineStore({ name, version, kinds, log = logLine }: StoreDefinition): Store {
  // An earlier process of this store can have shown what it minted since its own start: the clock, in
  // microseconds, is beyond that, and below 2^53.
  const history = createHistory(BigInt(Date.now()) * 1_000n);
  const handlers = new Map(
    kinds.map((kind) => [idOf({ group: "", plural: "", ...kind.description }), kind.open({ history, log })]),
  );
  const all = [...handlers.values()];

  /** A function that the store has if one of its kinds has it. */
  function optional<Name extends "invoke" | "stream" | "mutate" | "validate">(name: Name): Pick<Store, Name> {
    if (all.every((one) => one[name] === undefined)) return {} as Pick<Store, Name>;
    const route = (call: Call) => (offered(handlers.get(idOf(call.resource)), name) as (call: Call) => unknown)(call);
    return { [name]: route } as unknown as Pick<Store, Name>;
  }

  return {
    implementation: name,
    version,
    resources: kinds.map((kind) => kind.description),
    health: () => worstOf(all.map((one) => one.health?.() ?? { state: "ready", message: "" })),
    async close() {
      await Promise.all(all.map((one) => one.close?.()));
    },
    ...routed(history, (call) => handlers.get(idOf(call.resource))),
    ...optional("invoke"),
    ...optional("stream"),
    ...optional("mutate"),
    ...optional("validate"),
  };
}

/** The verbs of a store whose calls go each to the handlers of its resource, in the order of one history. */
export function routed(
  history: History,
  handlersOf: (call: Call) => KindHandlers | undefined,
): Omit<Store, "implementation" | "version" | "resources" | "invoke" | "stream" | "mutate" | "validate"> {
  return {
    revisionScope: "store",
    epoch: history.epoch,
    get: (call) => offered(handlersOf(call), "get")(call),
    list: (call) => offered(handlersOf(call), "list")(call),
    watch: (call) => offered(handlersOf(call), "watch")(call),
    create: (call) => offered(handlersOf(call), "create")(call),
    update: (call) => offered(handlersOf(call), "update")(call),
    delete: (call) => offered(handlersOf(call), "delete")(call),
    async currentRevision({ resource }) {
      return { revision: history.head(), lastChange: history.lastChange(resource) };
    },
    async notBelow(revision) {
      history.notBelow(revision);
    },
  };
}

function offered<Name extends keyof KindHandlers>(
  handlers: KindHandlers | undefined,
  name: Name,
): NonNullable<KindHandlers[Name]> {
  const handler = handlers?.[name];
  if (handler === undefined) throw new ConnectError(`${name} is not offered`, Code.Unimplemented);
  return handler.bind(handlers) as NonNullable<KindHandlers[Name]>;
}

function worstOf(healths: readonly StoreHealth[]): StoreHealth {
  const ready: StoreHealth = { state: "ready", message: "" };
  return (
    healths.find(({ state }) => state === "starting") ?? healths.find(({ state }) => state === "degraded") ?? ready
  );
}

/** Writes one line of JSON on stderr. */
export function logLine(fields: object, message: string): void {
  process.stderr.write(`${JSON.stringify({ time: Date.now(), ...fields, msg: message })}\n`);
}
