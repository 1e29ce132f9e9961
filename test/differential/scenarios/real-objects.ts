/**
 * Objects of other projects, as their users write them, and where they are put.
 */
import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parse, parseAllDocuments } from "yaml";
import { projects } from "../definitions.ts";

export type Value = null | boolean | number | string | Value[] | Fields;
export type Fields = { [key: string]: Value };

/** An object without its namespace. In a cluster all scenarios share one room: there its name is the scenario's word. */
export interface RealObject {
  readonly object: Fields;
  readonly name: string;
  /** Of its collection. */
  readonly path: string;
}

/** Gives all whose kinds are defined. @param realData where the projects lie. */
export function realObjects(realData: string): RealObject[] {
  const paths = pathsOf(realData);
  return projects
    .flatMap((project) => globSync(join(realData, project, "examples/**/*.y{a,}ml")).sort())
    .flatMap((file) => parseAllDocuments(readFileSync(file, "utf8")).map((document) => document.toJS() as Fields))
    .filter((object) => object !== null && paths.has(kindOf(object)))
    .map((example) => {
      const path = paths.get(kindOf(example)) ?? "";
      const { namespace: _, ...metadata } = (example["metadata"] ?? {}) as Fields;
      const name = path.includes("/namespaces/") ? String(metadata["name"] ?? "unnamed") : "<<id>>";
      const named = metadata["name"] === undefined ? {} : { name };
      return { object: { ...example, metadata: { ...metadata, ...named } }, name, path };
    });
}

const kindOf = (object: Fields) => `${object["apiVersion"]} ${object["kind"]}`;

/** Collections by `apiVersion kind`. */
export function pathsOf(realData: string): ReadonlyMap<string, string> {
  const files = projects.flatMap((project) => globSync(join(realData, project, "crds/*.yaml")).sort());
  return new Map(
    files.flatMap((file) => {
      const { spec } = parse(readFileSync(file, "utf8"));
      const namespace = spec.scope === "Namespaced" ? "/namespaces/<<ns>>" : "";
      return spec.versions
        .filter(({ served }: { served: boolean }) => served)
        .map(({ name }: { name: string }): [string, string] => [
          `${spec.group}/${name} ${spec.names.kind}`,
          `/apis/${spec.group}/${name}${namespace}/${spec.names.plural}`,
        ]);
    }),
  );
}
