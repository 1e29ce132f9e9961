/**
 * Scenarios of writes by several managers, as data: definitions, steps, and what becomes of each step.
 *
 * The object that a step leads to is the live one of the next, with the uid that an update must find; a
 * step that fails changes nothing. Nothing of a write but its field management happens. The same
 * documents are read by the Go program in test/e2e/cluster/fieldmanager.
 */
import { isJsonObject, type JsonObject, type JsonValue } from "../apimachinery/json.ts";
import { StatusError, statusToJson } from "../apimachinery/status.ts";
import { applyPatch, createFieldScopes, type FieldDefinition, type FieldScopes, trackUpdate } from "./apply.ts";

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
export function runScenario({ definitions, steps }: Scenario): Outcome[] {
  const scopes = definitions.map((definition) => createFieldScopes(fieldDefinitionOf(definition)));
  let live: JsonObject | undefined;
  return steps.map((step) => {
    try {
      const next = run(scopes[step.definition ?? 0] as FieldScopes, live, step);
      const metadata = isJsonObject(next["metadata"]) ? next["metadata"] : {};
      live = { ...next, metadata: { ...metadata, uid: "3f1e" } };
      return { object: live };
    } catch (error) {
      if (!(error instanceof StatusError)) throw error;
      return { status: statusToJson(error.status) };
    }
  });
}

function run(scopes: FieldScopes, stored: JsonObject | undefined, step: Step): JsonObject {
  const { manager, verb, object, force = false, subresource = "", version = "v1" } = step;
  const scope = scopes(version, subresource);
  const apiVersion = `${scope.gvk.group}/${version}`;
  const live = stored === undefined ? undefined : { ...stored, apiVersion };
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

/** Gives a definition of `Widget` in `example.com` with these versions' schemas. */
export function widgetDefinition(versions: Readonly<Record<string, JsonObject>>, status = false): JsonObject {
  return {
    apiVersion: "apiextensions.k8s.io/v1",
    kind: "CustomResourceDefinition",
    metadata: { name: "widgets.example.com" },
    spec: {
      group: "example.com",
      scope: "Namespaced",
      names: { plural: "widgets", singular: "widget", kind: "Widget", listKind: "WidgetList" },
      conversion: { strategy: "None" },
      versions: Object.keys(versions).map((name, index) => ({
        name,
        served: true,
        storage: index === 0,
        schema: { openAPIV3Schema: versions[name] as JsonObject },
        ...(status ? { subresources: { status: {} } } : {}),
      })),
    },
  };
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

/** Go tells several faults of an object as its maps are iterated. */
function inOrder(message: string): string {
  const [head, ...faults] = message.split("\n  ");
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
