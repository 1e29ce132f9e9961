/**
 * A store's part in requests: it changes objects, checks them, converts them between versions.
 *
 * A hook that fails, or isn't done in time, fails the request in the words of a webhook with
 * failurePolicy Fail; the log gets what clients must not see.
 * Source: proto/annex/store/v1/hook.proto; apiserver pkg/admission/plugin/webhook, pkg/util/webhook;
 * apiextensions-apiserver pkg/apiserver/conversion/webhook_converter.go.
 */
import { type Client, Code, ConnectError } from "@connectrpc/connect";
import { ErrorDetailSchema } from "../../gen/annex/store/v1/error_pb.js";
import { type HookService, Operation } from "../../gen/annex/store/v1/hook_pb.js";
import type { FieldError, FieldErrorReason } from "../apimachinery/field-error.ts";
import { formatGroupVersion } from "../apimachinery/gvk.ts";
import { encodeJsonBytes, isJsonObject, type JsonObject, jsonEqual, parseJson } from "../apimachinery/json.ts";
import { nameOf, namespaceOf, uidOf } from "../apimachinery/object.ts";
import type { ResourceDefinition } from "../apimachinery/resource.ts";
import { internalError, StatusError, serviceUnavailable, timeout, unknownError } from "../apimachinery/status.ts";
import { type ContextOpener, callObject, type SaidContext, uidIn } from "./context.ts";
import type { CallContext, HookCall, HookClient, ShownObject } from "./store-call.ts";

/** What a hook client is made with. */
export interface HookClientOptions {
  readonly definition: ResourceDefinition;
  readonly storeName: string;
  readonly hooks: Client<typeof HookService>;
  readonly opener: ContextOpener;
  readonly log: { error(fields: object, message: string): void };
}

/** As a webhook's default timeoutSeconds. */
const admissionMs = 10_000;
/** As kube-apiserver waits for a conversion webhook. Longer than a breaker needs to find that nobody answers, which is a 503. */
const readMs = 30_000;
/** Until a store that is away may be back. */
const retrySeconds = 1;
/** Objects, and bytes of them, of one conversion or Table: what a store must take. */
const batchObjects = 500;
const batchBytes = 2 * 1024 * 1024;

const operations: Readonly<Record<HookCall["operation"], Operation>> = {
  CREATE: Operation.CREATE,
  UPDATE: Operation.UPDATE,
  DELETE: Operation.DELETE,
};

/** Makes the hooks of one resource. */
export function createHookClient({ definition, storeName, hooks, opener, log }: HookClientOptions): HookClient {
  const { group, plural, kind, storageVersion } = definition;

  function admissionRequest(call: HookCall, context: SaidContext) {
    return {
      context,
      resource: { group, version: storageVersion, plural, subresource: call.subresource },
      operation: operations[call.operation],
      key: call.key,
      objectJson: call.json,
      oldObjectJson: call.oldJson,
      dryRun: call.dryRun,
    };
  }

  async function admission<T>(
    hook: string,
    call: HookCall,
    work: (request: ReturnType<typeof admissionRequest>, options: object) => Promise<T>,
  ): Promise<T> {
    const name = `${hook}.${plural}.${group}`;
    const { context } = call;
    const options = { signal: context.signal, timeoutMs: Math.min(admissionMs, context.timeoutMs) };
    const opened = opener({ ...context, timeoutMs: options.timeoutMs }, () =>
      callObject(definition, context, call.key, uidIn(call.json.length > 0 ? call.json : call.oldJson)),
    );
    try {
      return await twice(() => work(admissionRequest(call, opened.context), options));
    } catch (error) {
      const failed = ConnectError.from(error);
      if (failed.code === Code.PermissionDenied) throw denied(name, saidBy(failed));
      log.error({ store: storeName, hook: name, err: error }, "a hook failed");
      const isOver = failed.code === Code.DeadlineExceeded && context.timeoutMs <= admissionMs;
      if (isOver) throw timeout("request did not complete within requested timeout");
      throw internalError(`failed calling webhook "${name}": failed to call webhook: ${whyOf(failed)}`);
    } finally {
      opened.end();
    }
  }

  async function convertBatch(version: string, objects: readonly Uint8Array[], caller: Caller): Promise<Uint8Array[]> {
    const request = { requestId: caller.requestId, group, kind, targetVersion: version, objectsJson: [...objects] };
    const options = { signal: caller.signal, timeoutMs: Math.min(readMs, caller.timeoutMs) };
    let converted: Uint8Array[];
    try {
      converted = (await twice(() => hooks.convert(request, options))).objectsJson;
    } catch (error) {
      log.error({ store: storeName, resource: plural, version, err: error }, "a conversion failed");
      throw conversionFailed(objects[0], `failed: ${whyOf(ConnectError.from(error))}`);
    }
    if (converted.length !== objects.length) {
      throw conversionFailed(objects[0], `returned ${converted.length} objects, expected ${objects.length}`);
    }
    const wanted = formatGroupVersion(group, version);
    return converted.map((json, index) => {
      try {
        return checkedConversion(objects[index] as Uint8Array, json, wanted, kind);
      } catch (error) {
        const why = (error as Error).message;
        throw conversionFailed(objects[index], `returned invalid converted object at index ${index}: ${why}`);
      }
    });
  }

  function conversionFailed(json: Uint8Array | undefined, why: string): StatusError {
    const apiVersion = json === undefined ? "" : String(objectOf(json)?.["apiVersion"] ?? "");
    return unknownError(`conversion webhook for ${apiVersion}, Kind=${kind} ${why}`);
  }

  async function tabulateBatch(version: string, objects: readonly ShownObject[], caller: CallContext) {
    const opened = opener(caller);
    const request = {
      context: opened.context,
      resource: { group, version, plural, subresource: "" },
      objects: objects.map(({ namespace, name, revision, uid, json }) => ({
        key: { namespace, name },
        ...{ revision, uid, json },
      })),
    };
    const options = { signal: caller.signal, timeoutMs: Math.min(readMs, caller.timeoutMs) };
    try {
      return (await twice(() => hooks.tabulate(request, options))).rows.map(({ cellsJson }) => cellsJson);
    } catch (error) {
      const failed = ConnectError.from(error);
      if (failed.code === Code.InvalidArgument) return undefined;
      if (failed.code === Code.Unavailable) {
        throw serviceUnavailable(`the store "${storeName}" of ${plural} is not available`, retrySeconds);
      }
      // Whoever asked is gone: a watch ends while it waits for its rows.
      if (!caller.signal.aborted) {
        log.error({ store: storeName, resource: plural, err: error }, "a table's cells can't be made");
      }
      throw internalError("the store failed", { cause: error });
    } finally {
      opened.end();
    }
  }

  return {
    async tabulate(version, objects, caller) {
      const rows: (readonly Uint8Array[])[] = [];
      for (const batch of batchesOf(objects, ({ json }) => json.length)) {
        const made = await tabulateBatch(version, batch, caller);
        if (made === undefined) return undefined;
        if (made.length !== batch.length) {
          log.error({ store: storeName, resource: plural }, "a table has another number of rows than of objects");
          throw internalError(`expected ${batch.length} rows but got ${made.length}`);
        }
        rows.push(...made);
      }
      return rows;
    },
    mutate: (call) =>
      admission("mutate", call, async (request, options) => {
        const { objectJson, warnings } = await hooks.mutate(request, options);
        return { json: objectJson.length === 0 ? undefined : objectJson, warnings };
      }),
    validate: (call) =>
      admission("validate", call, async (request, options) => {
        const { causes, warnings } = await hooks.validate(request, options);
        const errors = causes.map((cause): FieldError => {
          const reason = (cause.reason || "FieldValueInvalid") as FieldErrorReason;
          return { reason, field: cause.field, message: cause.message };
        });
        return { errors, warnings };
      }),
    async convert(version, objects, caller) {
      const converted: Uint8Array[] = [];
      for (const batch of batchesOf(objects, ({ length }) => length))
        converted.push(...(await convertBatch(version, batch, caller)));
      return converted;
    },
  };
}

type Caller = Pick<CallContext, "requestId" | "signal" | "timeoutMs">;

/** Hooks have no effects, so a store that was just away is asked once more. */
async function twice<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (ConnectError.from(error).code !== Code.Unavailable) throw error;
    return await work();
  }
}

function denied(name: string, why: string): StatusError {
  const explained = why === "" ? " without explanation" : `: ${why}`;
  const message = `admission webhook "${name}" denied the request${explained}`;
  return new StatusError({ code: 403, reason: "Forbidden", message });
}

/** What the store meant clients to read. */
function saidBy(error: ConnectError): string {
  return error.findDetails(ErrorDetailSchema)[0]?.message ?? "";
}

function whyOf(error: ConnectError): string {
  const said = saidBy(error);
  if (said !== "") return said;
  if (error.code === Code.DeadlineExceeded) return "context deadline exceeded";
  return error.code === Code.Unavailable ? "the store is not available" : "the store failed";
}

/** What conversion may change of metadata. */
const convertedMetadata = ["labels", "annotations"] as const;

/**
 * Gives a converted object with the metadata that it had before, but for labels and annotations.
 * @throws Error if it is another object than before.
 */
function checkedConversion(before: Uint8Array, after: Uint8Array, apiVersion: string, kind: string): Uint8Array {
  const [from, to] = [objectOf(before), objectOf(after)];
  if (to === undefined || from === undefined) throw new Error("it is no JSON object");
  if (to["apiVersion"] !== apiVersion)
    throw new Error(`invalid groupVersion (expected ${apiVersion}, received ${String(to["apiVersion"])})`);
  if (to["kind"] !== kind) throw new Error(`invalid kind (expected ${kind}, received ${String(to["kind"])})`);
  const changed = [nameOf, namespaceOf, uidOf].findIndex((of) => of(from) !== of(to));
  if (changed >= 0)
    throw new Error(`invalid metadata.${["name", "namespace", "uid"][changed]}, which must stay the same`);
  const own = to["metadata"] ?? {};
  const metadata: JsonObject = { ...(from["metadata"] as JsonObject | undefined) };
  for (const name of convertedMetadata) {
    const texts = isJsonObject(own) ? (own[name] ?? undefined) : undefined;
    if (texts === undefined) delete metadata[name];
    else if (isJsonObject(texts) && Object.values(texts).every((text) => typeof text === "string"))
      metadata[name] = texts;
    else throw new Error(`invalid metadata.${name}, which must be a map of strings`);
  }
  return jsonEqual(own, metadata) ? after : encodeJsonBytes({ ...to, metadata });
}

function objectOf(json: Uint8Array) {
  try {
    const value = parseJson(json);
    return isJsonObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

function* batchesOf<T>(objects: readonly T[], bytesOf: (object: T) => number): Generator<readonly T[]> {
  let batch: T[] = [];
  let bytes = 0;
  for (const object of objects) {
    if (batch.length > 0 && (batch.length === batchObjects || bytes + bytesOf(object) > batchBytes)) {
      yield batch;
      batch = [];
      bytes = 0;
    }
    batch.push(object);
    bytes += bytesOf(object);
  }
  if (batch.length > 0) yield batch;
}
