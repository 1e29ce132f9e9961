/**
 * The definitions that both servers get: ours, and the real ones where they lie.
 *
 * Rules of `x-kubernetes-validations` are taken out of what both get, and counted.
 */
import { globSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { parse, stringify } from "yaml";
import { root } from "../support/checkout.ts";

/** Definitions as files that both servers are given. */
export interface Definitions {
  readonly files: readonly string[];
  readonly strippedRules: number;
}

/** The projects whose data is read under ANNEX_REAL_DATA. */
export const projects = ["gateway-api", "prometheus-operator"] as const;
export const ownDefinitions = join(root, "test/differential/definitions");

/** Writes them into a folder. @param realData where the projects lie; undefined: only ours. */
export function writeDefinitions(folder: string, realData: string | undefined): Definitions {
  mkdirSync(folder, { recursive: true });
  const real = realData === undefined ? [] : projects.map((project) => join(realData, project, "crds"));
  let strippedRules = 0;
  const files = [ownDefinitions, ...real].flatMap((from) =>
    globSync(join(from, "*.yaml"))
      .sort()
      .map((file) => {
        const definition = parse(readFileSync(file, "utf8"));
        strippedRules += stripRules(definition);
        const written = join(folder, basename(file));
        writeFileSync(written, stringify(definition, { aliasDuplicateObjects: false }));
        return written;
      }),
  );
  return { files, strippedRules };
}

/** Takes them out of a value. @returns how many there were. */
function stripRules(value: unknown): number {
  if (typeof value !== "object" || value === null) return 0;
  const owner = value as Record<string, unknown>;
  const rules = owner["x-kubernetes-validations"];
  // A field may bear that name; a list of rules is no schema.
  const own = Array.isArray(rules) ? rules.length : 0;
  if (own > 0) delete owner["x-kubernetes-validations"];
  return Object.values(owner).reduce<number>((sum, child) => sum + stripRules(child), own);
}
