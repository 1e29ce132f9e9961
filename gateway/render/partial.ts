/** PartialObjectMetadata: an object's metadata and nothing else. Source: meta.k8s.io/v1. */
import type { JsonObject } from "../apimachinery/json.ts";

/** Gives an object's metadata as an object of its own. `version` is that of meta.k8s.io. */
export function partialOf(value: JsonObject, version: string): JsonObject {
  return { kind: "PartialObjectMetadata", apiVersion: `meta.k8s.io/${version}`, metadata: value["metadata"] ?? {} };
}
