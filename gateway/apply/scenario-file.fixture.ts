/** Scenarios as people write them, from test/fixtures/apply-scenarios.yaml: the file says what its words mean. */
import { readFileSync } from "node:fs";
import { isJsonObject, type JsonObject } from "../apimachinery/json.ts";
import { parseYaml } from "../apimachinery/yaml.ts";
import { entriesOf, readOwners, trustedSet } from "./managed-fields.ts";
import { formatPath } from "./path-element.ts";
import { pathsOf } from "./path-set.ts";
import { type Outcome, type Scenario, type Step, widgetDefinition } from "./scenario.fixture.ts";

/** A scenario with what it comes to. */
export interface WrittenScenario {
  readonly name: string;
  readonly scenario: Scenario;
  /** For each step the message that refuses it, undefined if none does. */
  readonly errors: readonly (string | undefined)[];
  /** Undefined: nothing is there in the end. */
  readonly object: JsonObject | undefined;
  /** Paths by owner: `alice Apply`, `bob Update v1`, `carol Update v1 status`. */
  readonly owners: Readonly<Record<string, readonly string[]>>;
}

const file = new URL("../../test/fixtures/apply-scenarios.yaml", import.meta.url);

/** Reads the scenarios. */
export function writtenScenarios(): WrittenScenario[] {
  const { schemas, scenarios } = parseYaml(readFileSync(file, "utf8")).value as unknown as {
    schemas: Record<string, JsonObject>;
    scenarios: JsonObject[];
  };
  return scenarios.map((written) => {
    const versions = (written["versions"] as string[] | undefined) ?? ["v1"];
    const named = (written["schemas"] as string[] | undefined) ?? ["widget"];
    const definitions = named.map((name) =>
      widgetDefinition(Object.fromEntries(versions.map((version) => [version, schemas[name] as JsonObject])), {
        status: written["status"] === true,
        converts: written["converts"] === true,
      }),
    );
    const steps = written["steps"] as JsonObject[];
    return {
      name: written["name"] as string,
      scenario: { definitions, steps: steps.map(stepFrom) },
      errors: steps.map((step) => step["error"] as string | undefined),
      object: written["object"] as JsonObject | undefined,
      owners: written["owners"] as Record<string, string[]>,
    };
  });
}

function stepFrom(written: JsonObject): Step {
  const verb = (["apply", "update", "patch"] as const).find((word) => word in written) ?? "apply";
  const { version = "v1", subresource = "", force = false, schema = 0 } = written;
  const object = written["object"] as JsonObject;
  const metadata = isJsonObject(object["metadata"]) ? object["metadata"] : {};
  const isWhole = verb !== "patch";
  return {
    verb,
    manager: written[verb] as string,
    version: version as string,
    subresource: subresource as string,
    force: force as boolean,
    definition: schema as number,
    object: {
      ...(isWhole ? { apiVersion: `example.com/${version}`, kind: "Widget" } : {}),
      ...object,
      metadata: { ...(isWhole ? { name: "w", namespace: "default" } : {}), ...metadata },
    },
  };
}

/** Gives what outcomes came to, in the words of the file. */
export function written(outcomes: readonly Outcome[]): Pick<WrittenScenario, "errors" | "object" | "owners"> {
  const errors = outcomes.map((outcome) => ("status" in outcome ? String(outcome.status["message"]) : undefined));
  const last = outcomes.findLast((outcome) => "object" in outcome) as { object: JsonObject } | undefined;
  if (last === undefined) return { errors, object: undefined, owners: {} };
  const owners = [...readOwners(entriesOf(last.object), trustedSet).values()].map((owner) => {
    const { manager, operation, apiVersion, subresource } = owner;
    const version = operation === "Update" ? apiVersion.replace("example.com/", "") : "";
    const name = [manager, operation, version, subresource].filter((word) => word !== "").join(" ");
    return [name, pathsOf(owner.set).map(formatPath)] as const;
  });
  return { errors, object: bare(last.object), owners: Object.fromEntries(owners) };
}

/** Without what every object has. */
function bare({ apiVersion: _, kind: __, ...object }: JsonObject): JsonObject {
  const { name: _n, namespace: _ns, uid: _u, managedFields: _m, ...metadata } = object["metadata"] as JsonObject;
  const { metadata: ___, ...rest } = object;
  return Object.keys(metadata).length > 0 ? { ...rest, metadata } : rest;
}
