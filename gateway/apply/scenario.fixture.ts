/**
 * Scenarios of writes by several managers, as data: definitions, steps, and what becomes of each step.
 *
 * The object that a step leads to is the live one of the next, with the uid that an update must find; a
 * step that fails changes nothing. Nothing of a write but its field management happens. The same
 * documents are read by the Go program in test/e2e/cluster/fieldmanager.
 *
 * A definition whose conversion is by webhook names the fields of its spec anew in each version: `a` of v1 is
 * `v2_a` in v2, which has no `c`. A spec with a field of "50%" can't be converted.
 */
import { encodeJsonBytes, isJsonObject, type JsonObject, type JsonValue, parseJson } from "../apimachinery/json.ts";
import { StatusError, statusToJson, unknownError } from "../apimachinery/status.ts";
import { applyPatch, createFieldScopes, type FieldDefinition, type FieldScope, trackUpdate } from "./apply.ts";
import { type Convert, withConversions } from "./conversions.ts";

/** One write. */
export interface Step {
  /** Which definition is served at this time. Default the first. */
  readonly definition?: number;
  /** Default `v1`. */
  readonly version?: string;
  /** `""` or `status`. */
  readonly subresource?: string;
  /** `update` writes the object whole, `patch` as a merge patch over the live one. */
  readonly verb: "apply" | "update" | "patch";
  readonly manager: string;
  readonly force?: boolean;
  readonly object: JsonObject;
}

/** What a step led to. */
export type Outcome = { readonly object: JsonObject } | { readonly status: JsonObject };

/** Definitions are CustomResourceDefinitions. */
export interface Scenario {
  readonly definitions: readonly JsonObject[];
  readonly steps: readonly Step[];
}

const now = new Date("2026-01-02T03:04:05Z");

/** Runs a scenario on our field management. */
export async function runScenario({ definitions, steps }: Scenario): Promise<Outcome[]> {
  const resources = definitions.map((definition) => ({
    scopes: createFieldScopes(fieldDefinitionOf(definition)),
    convert: isConverting(definition) ? convertWidgets : undefined,
  }));
  let live: JsonObject | undefined;
  const outcomes: Outcome[] = [];
  for (const step of steps) {
    const { version = "v1", subresource = "" } = step;
    const { scopes, convert } = resources[step.definition ?? 0] as (typeof resources)[number];
    try {
      const current = live && inVersion(live, version, convert !== undefined);
      const next = await withConversions(convert, (known) => run(scopes(version, subresource, known), current, step));
      const metadata = isJsonObject(next["metadata"]) ? next["metadata"] : {};
      live = { ...next, metadata: { ...metadata, uid: "3f1e" } };
      outcomes.push({ object: live });
    } catch (error) {
      if (!(error instanceof StatusError)) throw error;
      outcomes.push({ status: statusToJson(error.status) });
    }
  }
  return outcomes;
}

function isConverting(definition: JsonObject): boolean {
  return ((definition["spec"] as JsonObject)["conversion"] as JsonObject)["strategy"] === "Webhook";
}

const convertWidgets: Convert = async (apiVersion, objects) =>
  objects.map((json) =>
    encodeJsonBytes(inVersion(parseJson(json) as JsonObject, apiVersion.split("/")[1] ?? "", true)),
  );

/** Gives an object in a version. @throws StatusError 500 as a conversion webhook that failed. */
function inVersion(object: JsonObject, version: string, converts: boolean): JsonObject {
  const [group = "", from = ""] = String(object["apiVersion"]).split("/");
  const { spec } = object;
  const to = { ...object, apiVersion: `${group}/${version}` };
  if (!converts || from === version || !isJsonObject(spec)) return to;
  if (Object.values(spec).includes("50%"))
    throw unknownError(`conversion webhook for ${group}/${from}, Kind=${object["kind"]} failed: what is half?`);
  return { ...to, spec: specIn(version, spec, from) };
}

/** Gives the spec of a converting definition's object in a version. */
export function specIn(version: string, spec: JsonObject, from: string): JsonObject {
  const prefixOf = (one: string) => (one === "v1" ? "" : `${one}_`);
  const fields = Object.entries(spec).map(([field, value]) => {
    const bare = field.startsWith(prefixOf(from)) ? field.slice(prefixOf(from).length) : field;
    return [prefixOf(version) + bare, value] as const;
  });
  return Object.fromEntries(fields.filter(([field]) => field !== "v2_c"));
}

function run(scope: FieldScope, live: JsonObject | undefined, step: Step): JsonObject {
  const { manager, verb, object, force = false } = step;
  const apiVersion = `${scope.gvk.group}/${scope.gvk.version}`;
  if (verb === "apply") return applyPatch(scope, { live, patch: object, manager, force, now });
  const before = live ?? { apiVersion, kind: scope.gvk.kind };
  const next = verb === "patch" ? (mergePatch(before, object) as JsonObject) : object;
  return trackUpdate(scope, { live, next, manager, now });
}

function mergePatch(target: JsonValue | undefined, patch: JsonValue): JsonValue {
  if (!isJsonObject(patch)) return patch;
  const out: JsonObject = isJsonObject(target) ? { ...target } : {};
  for (const key of Object.keys(patch)) {
    const value = patch[key] as JsonValue;
    if (value === null) delete out[key];
    else out[key] = mergePatch(out[key], value);
  }
  return out;
}

function fieldDefinitionOf(crd: JsonObject): FieldDefinition {
  const spec = crd["spec"] as JsonObject;
  const versions = (spec["versions"] as JsonObject[]).map((version) => {
    const subresources = version["subresources"] as JsonObject | undefined;
    const schema = version["schema"] as JsonObject | undefined;
    return {
      name: version["name"],
      schema: schema?.["openAPIV3Schema"],
      status: subresources?.["status"] !== undefined,
    };
  });
  const kind = (spec["names"] as JsonObject)["kind"];
  return { group: spec["group"], kind, versions } as unknown as FieldDefinition;
}

/**
 * Gives a definition of `Widget` in `example.com` with these versions' schemas.
 * @param options.converts whether their specs get the names of their versions.
 */
export function widgetDefinition(
  versions: Readonly<Record<string, JsonObject>>,
  { status = false, converts = false }: { readonly status?: boolean; readonly converts?: boolean } = {},
): JsonObject {
  return {
    apiVersion: "apiextensions.k8s.io/v1",
    kind: "CustomResourceDefinition",
    metadata: { name: "widgets.example.com" },
    spec: {
      group: "example.com",
      scope: "Namespaced",
      names: { plural: "widgets", singular: "widget", kind: "Widget", listKind: "WidgetList" },
      conversion: { strategy: converts ? "Webhook" : "None" },
      versions: Object.keys(versions).map((name, index) => ({
        name,
        served: true,
        storage: index === 0,
        schema: {
          openAPIV3Schema: converts ? renamed(name, versions[name] as JsonObject) : (versions[name] as JsonObject),
        },
        ...(status ? { subresources: { status: {} } } : {}),
      })),
    },
  };
}

function renamed(version: string, schema: JsonObject): JsonObject {
  const properties = schema["properties"] as Record<string, JsonObject>;
  const spec = properties["spec"] as JsonObject;
  const named = { ...spec, properties: specIn(version, spec["properties"] as JsonObject, "v1") };
  return { ...schema, properties: { ...properties, spec: named } };
}

/** Gives an outcome without times but that there is one, and with what Go tells in any order in one. */
export function comparable(outcome: Outcome): JsonValue {
  if ("object" in outcome) return plain(withoutTimes(outcome.object));
  const { message = "", code = 0, reason = "", details } = outcome.status;
  const causes = isJsonObject(details) && Array.isArray(details["causes"]) ? (details["causes"] as JsonObject[]) : [];
  const sorted = [...causes].sort((a, b) =>
    String(a["message"]) < String(b["message"]) ? -1 : Number(a["message"] !== b["message"]),
  );
  return plain({ message: inOrder(String(message)), code, reason, causes: sorted });
}

/** Go tells several faults of an object, and takes versions, as its maps are iterated. */
function inOrder(message: string): string {
  const [head, ...faults] = message.replace(/at version \S+:/, "at a version:").split("\n  ");
  return [head, ...faults.sort()].join("\n  ");
}

function withoutTimes(object: JsonObject): JsonObject {
  const metadata = object["metadata"] as JsonObject;
  const entries = metadata["managedFields"];
  if (!Array.isArray(entries)) return object;
  const bare = (entries as JsonObject[]).map((entry) => ({ ...entry, time: entry["time"] === undefined ? null : "" }));
  const keyOf = (entry: JsonObject) =>
    JSON.stringify([entry["operation"], entry["manager"], entry["apiVersion"], entry["subresource"]]);
  return { ...object, metadata: { ...metadata, managedFields: bare.sort((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1)) } };
}

function plain(value: JsonValue): JsonValue {
  return JSON.parse(JSON.stringify(value)) as JsonValue;
}
