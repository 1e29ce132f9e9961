/**
 * The resources of a store as the promises use them: what each may be asked, and objects that its
 * schema takes.
 *
 * What differs between two objects of a promise stands in an annotation, which every schema takes.
 */
import {
  Capability,
  type DescribeResponse,
  Lifecycle,
  OwnerMatch,
  type Resource,
  Scope,
  SubresourceKind,
  Verb,
} from "../../gen/annex/store/v1/catalog_pb.js";
import type { Needs, VerbWord } from "./promise.ts";

/** The user in whose name the certifier calls. */
export const certifyUser = { name: "annex-certify", uid: "annex-certify-uid", groups: ["system:authenticated"] };
/** Where a promise's payload stands. */
export const payloadAnnotation = "certify.annex.dev/payload";

/** Reference of a resource, as calls carry it. */
export interface ResourceRef {
  readonly group: string;
  readonly version: string;
  readonly plural: string;
  readonly subresource: string;
}

/** One resource. */
export interface Subject {
  readonly ref: ResourceRef;
  /** `widgets.example.com`. */
  readonly label: string;
  readonly resource: Resource;
  readonly isNamespaced: boolean;
  readonly maxObjectBytes: number;
  has(capability: keyof typeof Capability): boolean;
  can(verb: VerbWord): boolean;
  /** An object that the schema takes, with any payload. */
  value(key: { readonly namespace: string; readonly name: string }, uid: string, payload: unknown): object;
}

/** etcd's limit: the contract's default. */
const defaultMaxObjectBytes = 1_572_864;

/** Gives a store's resources, those that keep objects first, namespaced ones before. */
export function subjectsOf(description: DescribeResponse): readonly Subject[] {
  return description.resources.map(subjectFrom).sort((a, b) => rank(a) - rank(b));
}

function rank(subject: Subject): number {
  return (subject.can("create") && subject.can("get") ? 0 : 2) + (subject.isNamespaced ? 0 : 1);
}

function subjectFrom(resource: Resource): Subject {
  const { group, plural, storageVersion: version } = resource;
  const verbs = new Set(resource.verbs.map((verb) => Verb[verb]?.toLowerCase()));
  const capabilities = new Set(resource.capabilities.map((capability) => Capability[capability]));
  const minimal = sampleOf(schemaOf(resource));
  return {
    ref: { group, version, plural, subresource: "" },
    label: `${plural}.${group}`,
    resource,
    isNamespaced: resource.scope === Scope.NAMESPACED,
    maxObjectBytes: Number(resource.maxObjectBytes) || defaultMaxObjectBytes,
    has: (capability) => capabilities.has(capability),
    can: (verb) => verbs.has(verb),
    value({ namespace, name }, uid, payload) {
      const metadata = {
        name,
        ...(namespace === "" ? {} : { namespace }),
        uid,
        generation: 1,
        creationTimestamp: "2026-01-01T00:00:00Z",
        annotations: { [payloadAnnotation]: typeof payload === "string" ? payload : JSON.stringify(payload) },
      };
      const rest = typeof minimal === "object" ? structuredClone(minimal) : {};
      const value = { ...rest, apiVersion: `${group}/${version}`, kind: resource.kind, metadata };
      return withOwner(value, resource);
    },
  };
}

/** Gives the fault of one resource with what a promise needs; undefined if it applies. */
export function lackOf(
  needs: Needs,
  subject: Subject,
  all: readonly Subject[],
  description: DescribeResponse,
): string | undefined {
  const wanted = (needs.verbs ?? "").split(" ").filter((verb) => verb !== "") as VerbWord[];
  const verb = wanted.find((one) => !subject.can(one));
  if (verb !== undefined) return `the verb ${verb}`;
  const missing = needs.has?.find((one) => !subject.has(one));
  if (missing !== undefined) return `the capability ${missing}`;
  const declared = needs.lacks?.find((one) => subject.has(one));
  if (declared !== undefined) return `a resource without the capability ${declared}`;
  if (needs.action !== undefined && !actsBy(needs.action, subject)) return actionWords[needs.action];
  if (needs.polled && subject.resource.polledWatchIntervalMs === 0) return "a polled watch";
  if (needs.isNamespaced && !subject.isNamespaced) return "a namespaced resource";
  if (needs.storeScope && description.revisionScope !== 1) return "one revision counter for the whole store";
  if (needs.other && otherOf(wanted, subject, all) === undefined) return "a second resource with these verbs";
  return undefined;
}

const actionWords = {
  create: "an imperative kind",
  unary: "a subresource that is called",
  stream: "a subresource that streams",
} as const;

function actsBy(action: NonNullable<Needs["action"]>, { resource }: Subject): boolean {
  if (action === "create") return resource.verbs.length === 1 && resource.verbs[0] === Verb.CREATE;
  const kind = action === "unary" ? SubresourceKind.UNARY : SubresourceKind.STREAM;
  return resource.subresources.some((one) => one.kind === kind);
}

/** Gives another resource with the same verbs. */
export function otherOf(verbs: readonly VerbWord[], subject: Subject, all: readonly Subject[]): Subject | undefined {
  return all.find((one) => one !== subject && verbs.every((verb) => one.can(verb)) && keepsAlone(one));
}

function keepsAlone(subject: Subject): boolean {
  return subject.resource.lifecycle !== Lifecycle.STORE;
}

/** Gives one resource for each set of verbs, capabilities and life that the store describes. */
export function distinctSubjects(all: readonly Subject[]): readonly Subject[] {
  const shapes = new Map<string, Subject>();
  for (const subject of all) {
    const { verbs, capabilities, lifecycle, perUserReads, createOnUpdate, subresources } = subject.resource;
    const shape = JSON.stringify([
      [...verbs].sort(),
      [...capabilities].sort(),
      lifecycle,
      perUserReads,
      createOnUpdate,
      subresources.map(({ name, kind }) => [name, kind]),
    ]);
    if (!shapes.has(shape)) shapes.set(shape, subject);
  }
  return [...shapes.values()];
}

function withOwner(value: object, resource: Resource): object {
  const { ownerScope } = resource;
  if (ownerScope === undefined) return value;
  const path = ownerScope.fieldPath.split(".").filter((part) => part !== "");
  const last = path.pop();
  if (last === undefined) return value;
  let place = value as Record<string, unknown>;
  for (const part of path) {
    const next = typeof place[part] === "object" && place[part] !== null ? place[part] : {};
    place[part] = next;
    place = next as Record<string, unknown>;
  }
  place[last] = ownerScope.match === OwnerMatch.UID ? certifyUser.uid : certifyUser.name;
  return value;
}

interface JsonSchema {
  readonly type?: string;
  readonly default?: unknown;
  readonly enum?: readonly unknown[];
  readonly required?: readonly string[];
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly items?: JsonSchema;
  readonly minItems?: number;
  readonly minLength?: number;
  readonly minimum?: number;
  readonly nullable?: boolean;
}

function schemaOf(resource: Resource): JsonSchema {
  const version = resource.versions.find((one) => one.name === resource.storageVersion);
  try {
    return JSON.parse(Buffer.from(version?.schemaJson ?? []).toString() || "{}") as JsonSchema;
  } catch {
    // A promise of its own says so.
    return {};
  }
}

/** The smallest value that a schema's types, required fields and bounds take. */
function sampleOf(schema: JsonSchema): unknown {
  if (schema.default !== undefined) return schema.default;
  if (schema.enum !== undefined) return schema.enum[0];
  switch (schema.type) {
    case "string":
      return "x".repeat(schema.minLength ?? 0);
    case "integer":
    case "number":
      return schema.minimum ?? 0;
    case "boolean":
      return false;
    case "array":
      return Array.from({ length: schema.minItems ?? 0 }, () => sampleOf(schema.items ?? {}));
    default:
      return Object.fromEntries(
        (schema.required ?? [])
          .filter((name) => name !== "metadata")
          .map((name) => [name, sampleOf(schema.properties?.[name] ?? {})]),
      );
  }
}
