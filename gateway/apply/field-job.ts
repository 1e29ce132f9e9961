/** What is asked of the thread that manages large objects' fields, and what it answers. */
import { encodeJsonBytes, isJsonObject, type JsonObject, parseJson } from "../apimachinery/json.ts";
import { type Status, StatusError } from "../apimachinery/status.ts";
import { ConversionsWanted, type KnownConversions, type Wanted } from "./conversions.ts";
import { applyPatch, trackUpdate } from "./field-manager.ts";
import { createFieldScopes, type FieldDefinition } from "./field-scopes.ts";
import { entriesOf } from "./managed-fields.ts";

/** One write. Objects are JSON. */
export interface FieldJob {
  readonly definition: FieldDefinition;
  readonly version: string;
  readonly subresource: string;
  /** `apply`: `object` is the patch. `track`: it is the next state. */
  readonly verb: "apply" | "track";
  readonly live: Uint8Array | undefined;
  readonly object: Uint8Array;
  readonly manager: string;
  readonly force: boolean;
  readonly now: Date;
  /** Undefined: the store doesn't convert. */
  readonly known: KnownConversions | undefined;
}

/** The next state of an apply, the entries of what was tracked (empty: there are none), what must be known first, or why it is refused. */
export type FieldAnswer =
  | { readonly json: Uint8Array }
  | { readonly wanted: readonly Wanted[] }
  | { readonly status: Status }
  | { readonly error: Error };

/** Does the job. */
export function doFieldJob(job: FieldJob): FieldAnswer {
  try {
    return { json: resultOf(job) };
  } catch (error) {
    if (error instanceof ConversionsWanted) return { wanted: error.wanted };
    return error instanceof StatusError ? { status: error.status } : { error: error as Error };
  }
}

function resultOf({
  definition,
  version,
  subresource,
  verb,
  manager,
  force,
  now,
  known,
  ...job
}: FieldJob): Uint8Array {
  const scope = createFieldScopes(definition)(version, subresource, known);
  const live = job.live === undefined ? undefined : objectFrom(job.live);
  const object = objectFrom(job.object);
  if (verb === "apply") return encodeJsonBytes(applyPatch(scope, { live, patch: object, manager, force, now }));
  const entries = entriesOf(trackUpdate(scope, { live, next: object, manager, now }));
  return entries === undefined ? new Uint8Array() : encodeJsonBytes([...entries]);
}

function objectFrom(json: Uint8Array): JsonObject {
  const value = parseJson(json);
  if (!isJsonObject(value)) throw new TypeError("a job's object is none");
  return value;
}
