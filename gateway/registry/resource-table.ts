/** The table of what is served: an immutable value, found by group, version and resource. */
import type { ResourceDefinition, ResourceTable, ServedResource } from "../apimachinery/resource.ts";

/** Makes a table. Resources are in order of registration. */
export function createResourceTable(
  generation: number,
  resources: readonly ResourceDefinition[],
  versionOrder?: ResourceTable["versionOrder"],
): ResourceTable {
  const served = new Map<string, ServedResource>();
  const groups = new Set<string>();
  for (const definition of resources) {
    groups.add(definition.group);
    for (const version of definition.versions) {
      if (version.served)
        served.set(`${definition.group}/${version.name}/${definition.plural}`, { definition, version });
    }
  }
  return {
    generation,
    resources,
    versionOrder,
    find: (group, version, plural) => served.get(`${group}/${version}/${plural}`),
    hasGroup: (group) => groups.has(group),
  };
}
