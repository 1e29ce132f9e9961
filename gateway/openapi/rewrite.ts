/**
 * A schema rewritten node by node, in steps and without recursion.
 *
 * A rule sees one schema and gives a changed copy of it, its children still unchanged; they come
 * next. A unit is one schema.
 */
import { isJsonObject, type JsonObject, type JsonValue, newJsonObject } from "../apimachinery/json.ts";
import type { Steps } from "../apimachinery/steps.ts";

/** Gives a copy of one schema, changed; never the schema itself. */
export type SchemaRule = (schema: JsonObject) => JsonObject;

interface Place {
  readonly container: JsonObject;
  readonly key: string;
  readonly schema: JsonObject;
}

/** Rewrites a schema and everything below its properties, items and additionalProperties. */
export function rewriteSteps(schema: JsonObject, rule: SchemaRule): Steps<JsonObject> {
  const root: JsonObject = {};
  const work: Place[] = [{ container: root, key: "schema", schema }];

  function descend(out: JsonObject): void {
    for (const key of ["items", "additionalProperties"]) {
      const child = out[key];
      if (isJsonObject(child)) work.push({ container: out, key, schema: child });
    }
    const { properties } = out;
    if (!isJsonObject(properties)) return;
    const container = newJsonObject();
    for (const key of Object.keys(properties)) {
      const child = properties[key] as JsonValue;
      container[key] = child;
      if (isJsonObject(child)) work.push({ container, key, schema: child });
    }
    out["properties"] = container;
  }

  return {
    step(units) {
      for (let left = units; left > 0; left--) {
        const place = work.pop();
        if (place === undefined) return true;
        const out = rule(place.schema);
        place.container[place.key] = out;
        descend(out);
      }
      return work.length === 0;
    },
    result: () => root["schema"] as JsonObject,
  };
}
