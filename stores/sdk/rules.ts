/**
 * The rules that a kept kind has beyond its schema: who owns an object, what the store fills in, what
 * it refuses, and what of an object is shown only to whoever made it.
 */
import { create } from "@bufbuild/protobuf";
import { Capability, OwnerMatch, OwnerScopeSchema, Verb } from "../../gen/annex/store/v1/catalog_pb.js";
import type { Cause } from "./errors.ts";
import type { KeptObjects } from "./kept.ts";
import type { AdmitCall, CallUser, CreateCall, ResourceDescription, Store, Written } from "./store.ts";

/** A write before it is made. */
export interface Admission<T> {
  readonly operation: "CREATE" | "UPDATE" | "DELETE";
  /** Of a delete the last state. */
  readonly object: T;
  /** Undefined for a create. */
  readonly previous: T | undefined;
  /** Who asks; undefined for the gateway itself. */
  readonly user: CallUser | undefined;
  readonly dryRun: boolean;
  /** Tells the client something that is no error. */
  warn(text: string): void;
}

/** The rules of a kind. */
export interface KeptRules<T> {
  /** What clients may do. Default: everything. */
  readonly verbs?: readonly (
    | "get"
    | "list"
    | "watch"
    | "create"
    | "update"
    | "patch"
    | "delete"
    | "deletecollection"
  )[];
  /** Whether an update of a missing name creates it. Default: no. */
  readonly createOnUpdate?: boolean;
  /**
   * Objects belong to the user whom this field names, `.spec.userID`: for others they aren't there,
   * but for whoever may do `seeAll` to the resource.
   */
  readonly owner?: { readonly field: string; readonly match?: "name" | "uid"; readonly seeAll?: string };
  /** Gives the object as it is to be written, before it is validated. May throw forbidden(). */
  mutate?(admission: Admission<T>): Promise<T>;
  /** Gives what is wrong with a write. Nothing, or no cause: it is fine. May throw forbidden(). */
  validate?(admission: Admission<T>): Promise<readonly Cause[] | undefined>;
  /** Gives what a new object is kept as, and what its creator is shown this once. */
  reveal?(object: T): Promise<{ readonly kept: T; readonly shown: T }>;
}

const verbs: Readonly<Record<string, Verb>> = {
  get: Verb.GET,
  list: Verb.LIST,
  watch: Verb.WATCH,
  create: Verb.CREATE,
  update: Verb.UPDATE,
  patch: Verb.PATCH,
  delete: Verb.DELETE,
  deletecollection: Verb.DELETECOLLECTION,
};

/** Gives what a kind's rules say in its description. */
export function ruledDescription(description: ResourceDescription, rules: KeptRules<never>): ResourceDescription {
  const { owner, createOnUpdate = false } = rules;
  const scope = owner && {
    fieldPath: owner.field,
    match: owner.match === "uid" ? OwnerMatch.UID : OwnerMatch.NAME,
    bypassVerb: owner.seeAll ?? "",
  };
  return {
    ...description,
    createOnUpdate,
    ...(rules.verbs === undefined ? {} : { verbs: rules.verbs.map((verb) => verbs[verb] ?? Verb.UNSPECIFIED) }),
    ...(scope === undefined ? {} : { ownerScope: create(OwnerScopeSchema, scope) }),
    capabilities: [
      ...(description.capabilities ?? []),
      ...(rules.mutate === undefined ? [] : [Capability.HOOK_MUTATE]),
      ...(rules.validate === undefined ? [] : [Capability.HOOK_VALIDATE]),
    ],
  };
}

/** Gives the functions that hold a kind's objects to its rules. */
export function ruledHandlers(
  objects: KeptObjects,
  rules: KeptRules<never>,
): KeptObjects & Pick<Store, "mutate" | "validate"> {
  const { mutate, validate, reveal } = rules;
  return {
    ...objects,
    ...(reveal === undefined ? {} : { create: (call) => revealing(objects, call, reveal) }),
    ...(mutate === undefined
      ? {}
      : {
          async mutate(call) {
            const { admission, warnings } = admissionFrom(call);
            return { json: bytes(await mutate.call(rules, admission)), warnings };
          },
        }),
    ...(validate === undefined
      ? {}
      : {
          async validate(call) {
            const { admission, warnings } = admissionFrom(call);
            return { causes: (await validate.call(rules, admission)) ?? [], warnings };
          },
        }),
  };
}

async function revealing(
  objects: KeptObjects,
  call: CreateCall,
  reveal: NonNullable<KeptRules<never>["reveal"]>,
): Promise<Written> {
  const { kept, shown } = await reveal(parse(call.json));
  const written = await objects.create({ ...call, json: bytes(kept) });
  return { ...written, json: bytes(shown) };
}

function admissionFrom(call: AdmitCall): { readonly admission: Admission<never>; readonly warnings: string[] } {
  const { operation, json, oldJson, user, dryRun } = call;
  const warnings: string[] = [];
  const previous = oldJson.length === 0 ? undefined : parse(oldJson);
  const object = json.length === 0 ? (previous as never) : parse(json);
  return { admission: { operation, object, previous, user, dryRun, warn: (text) => warnings.push(text) }, warnings };
}

const parse = (json: Uint8Array): never => JSON.parse(Buffer.from(json).toString()) as never;
const bytes = (value: unknown): Uint8Array => Buffer.from(JSON.stringify(value));
