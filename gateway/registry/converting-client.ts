/**
 * A resource's client where its store converts between versions: objects lie and travel in the
 * storage version; what is read has beside it its forms in the versions that the caller will show,
 * and what is written comes in the version that the caller speaks.
 *
 * Without the capability versions differ by their apiVersion alone, and the client stays as it is.
 */
import type { ResourceDefinition } from "../apimachinery/resource.ts";
import { type CallContext, type ResourceClient, type StoredObject, WriteConflict } from "./store-call.ts";

type Caller = Pick<CallContext, "requestId" | "clientVersion" | "signal" | "timeoutMs">;

/** A conversion for the gateway's own feed has no client that waits. */
const feedCallMs = 30_000;

/** Makes a client convert, if its resource needs it. */
export function convertingClient(client: ResourceClient, definition: ResourceDefinition): ResourceClient {
  const { storageVersion, group, capabilities, versions } = definition;
  const served = versions.filter((version) => version.served).map((version) => version.name);
  if (!capabilities.hookConvert || served.every((version) => version === storageVersion)) return client;
  const { hooks } = client;

  /** The caller's version, or every served one if it has none. */
  function formsFor({ clientVersion }: Caller): readonly string[] {
    const wanted = clientVersion === "" ? served : [clientVersion.slice(group.length + 1)];
    return wanted.filter((version) => version !== storageVersion);
  }

  async function shown(objects: readonly StoredObject[], caller: Caller): Promise<readonly StoredObject[]> {
    const wanted = objects.length === 0 ? [] : formsFor(caller);
    const jsons = objects.map((object) => object.json);
    const forms = await Promise.all(wanted.map((version) => hooks.convert(version, jsons, caller)));
    return objects.map((object, index) => ({
      ...object,
      versions: new Map(wanted.map((version, at) => [version, forms[at]?.[index] as Uint8Array])),
    }));
  }

  async function shownOne(object: StoredObject, caller: Caller): Promise<StoredObject> {
    return (await shown([object], caller))[0] as StoredObject;
  }

  async function stored(json: Uint8Array, caller: Caller): Promise<Uint8Array> {
    if (formsFor(caller).length === 0) return json;
    return (await hooks.convert(storageVersion, [json], caller))[0] as Uint8Array;
  }

  /** Writes the storage version. What the store had nothing to say about stays as it was sent. */
  async function write(
    json: Uint8Array,
    caller: Caller,
    send: (bytes: Uint8Array) => Promise<StoredObject>,
  ): Promise<StoredObject> {
    const bytes = await stored(json, caller);
    const written = await send(bytes);
    return written.json === bytes ? { ...written, json } : await shownOne(written, caller);
  }

  async function withConflictShown<T>(caller: Caller, work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof WriteConflict) || error.current === undefined) throw error;
      throw new WriteConflict(await shownOne(error.current, caller));
    }
  }

  return {
    ...client,
    async get(key, read, call) {
      const found = await client.get(key, read, call);
      return found && (await shownOne(found, call));
    },
    async list(list, call) {
      const page = await client.list(list, call);
      return { ...page, items: await shown(page.items, call) };
    },
    async *watch(watch) {
      const caller = { requestId: "", clientVersion: "", ...watch.caller, signal: watch.signal, timeoutMs: feedCallMs };
      for await (const frame of client.watch(watch)) {
        if (frame.frame !== "events") {
          yield frame;
          continue;
        }
        const objects = await shown(
          frame.events.map((event) => event.object),
          caller,
        );
        const events = frame.events.map((event, index) => ({ ...event, object: objects[index] as StoredObject }));
        yield { frame: "events", events };
      }
    },
    create: (key, uid, json, call) => write(json, call, (bytes) => client.create(key, uid, bytes, call)),
    update: (key, uid, json, preconditions, call) =>
      withConflictShown(call, () => write(json, call, (bytes) => client.update(key, uid, bytes, preconditions, call))),
    delete: (key, preconditions, call) => withConflictShown(call, () => client.delete(key, preconditions, call)),
    async invoke(invoke, call) {
      // What a subresource sends and answers is the store's own affair.
      if (invoke.subresource !== "") return await client.invoke(invoke, call);
      const answer = await client.invoke({ ...invoke, body: await stored(invoke.body, call) }, call);
      const [version] = formsFor(call);
      if (version === undefined) return answer;
      return { ...answer, body: (await hooks.convert(version, [answer.body], call))[0] as Uint8Array };
    },
  };
}
