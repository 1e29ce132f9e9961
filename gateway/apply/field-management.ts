/** Field management as verbs uses it: small objects here and now, large ones in a thread. */
import {
  cloneJson,
  isJsonObject,
  type JsonObject,
  type JsonValue,
  jsonEncoder,
  jsonParser,
} from "../apimachinery/json.ts";
import type { KubeObject } from "../apimachinery/object.ts";
import { StatusError } from "../apimachinery/status.ts";
import { finishInSlices } from "../apimachinery/steps.ts";
import { ConversionsWanted, type Convert, type KnownConversions, withConversions } from "./conversions.ts";
import type { FieldAnswer, FieldJob } from "./field-job.ts";
import { type AppliedWrite, applyPatch, type FieldScope, type TrackedWrite, trackUpdate } from "./field-manager.ts";
import { createFieldScopes, type FieldDefinition, type FieldScopes } from "./field-scopes.ts";
import { createFieldThread } from "./field-thread.ts";
import { withEntries } from "./managed-fields.ts";

/** What a write is about: a version of a resource, through one of its doors. */
export interface FieldTarget {
  readonly definition: FieldDefinition;
  readonly version: string;
  /** `""`, `status` or `scale`. */
  readonly subresource: string;
  /** Undefined: the store doesn't, and versions differ by their apiVersion alone. */
  readonly convert: Convert | undefined;
}

/** Keeps managedFields, and applies. */
export interface FieldManagement {
  /**
   * Gives the next state with its managedFields.
   * @param bytes about how large the objects are.
   * @throws StatusError 429 if too many large objects wait.
   */
  track(target: FieldTarget, write: TrackedWrite, bytes: number): Promise<KubeObject>;
  /**
   * Applies a patch.
   * @returns the next state with its managedFields; not yet defaulted. It shares nothing with what was given.
   * @throws StatusError 400, 409 and 500 as applyPatch does; 429 as above.
   */
  apply(target: FieldTarget, write: AppliedWrite, bytes: number): Promise<KubeObject>;
  close(): void;
}

/** From here on the thread does it. An object of nothing but short fields takes some ten milliseconds here then; ten managers of a 10 KB object are smaller. */
const threadFromBytes = 128 * 1024;

/** Makes it. Types are read from a definition's schemas once. */
export function createFieldManagement(): FieldManagement {
  const known = new WeakMap<FieldDefinition, FieldScopes>();
  const thread = createFieldThread();

  function scopeOf({ definition, version, subresource }: FieldTarget, conversions?: KnownConversions): FieldScope {
    let scopes = known.get(definition);
    if (scopes === undefined) {
      scopes = createFieldScopes(definition);
      known.set(definition, scopes);
    }
    return scopes(version, subresource, conversions);
  }

  async function runInThread(target: FieldTarget, job: Omit<FieldJob, keyof ReturnType<typeof bare> | "known">) {
    const run = async (conversions?: KnownConversions) =>
      jsonOf(await thread.run({ ...bare(target), ...job, known: conversions }));
    return await withConversions(target.convert, run);
  }

  return {
    async track(target, write, bytes) {
      const run = (conversions?: KnownConversions) => trackUpdate(scopeOf(target, conversions), write);
      if (bytes < threadFromBytes) return withConversions(target.convert, run);
      const { live, next, manager, now } = write;
      const objects = { live: await encoded(live), object: await encoded(next) };
      const json = await runInThread(target, { ...objects, verb: "track", manager, force: false, now });
      const entries = json.length === 0 ? undefined : await parsed(json);
      return withEntries(next, Array.isArray(entries) ? entries : undefined);
    },
    async apply(target, write, bytes) {
      const run = (conversions?: KnownConversions) => cloneJson(applyPatch(scopeOf(target, conversions), write));
      if (bytes < threadFromBytes) return withConversions(target.convert, run);
      const { live, patch, manager, force, now } = write;
      const objects = { live: await encoded(live), object: await encoded(patch) };
      const object = await parsed(await runInThread(target, { ...objects, verb: "apply", manager, force, now }));
      if (!isJsonObject(object)) throw new TypeError("what was applied is no object");
      return object;
    },
    close: () => thread.close(),
  };
}

/** What the thread needs of a definition, and no more: it is copied. */
function bare({
  definition,
  version,
  subresource,
}: FieldTarget): Pick<FieldJob, "definition" | "version" | "subresource"> {
  const { group, kind, versions } = definition;
  return { definition: { group, kind, versions }, version, subresource };
}

async function encoded<T extends JsonObject | undefined>(
  object: T,
): Promise<T extends undefined ? undefined : Uint8Array> {
  const json = object === undefined ? undefined : await finishInSlices(jsonEncoder(object));
  return json as T extends undefined ? undefined : Uint8Array;
}

async function parsed(json: Uint8Array): Promise<JsonValue> {
  return (await finishInSlices(jsonParser(json))).value;
}

function jsonOf(answer: FieldAnswer): Uint8Array {
  if ("wanted" in answer) throw new ConversionsWanted(answer.wanted);
  if ("status" in answer) throw new StatusError(answer.status);
  if ("error" in answer) throw new Error("managing a large object's fields failed", { cause: answer.error });
  return answer.json;
}
