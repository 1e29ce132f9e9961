/**
 * What the field management of a resource goes by, from its definition.
 *
 * Source: apiextensions-apiserver pkg/apiserver/customresource_handler.go (scopeWithFieldManager),
 * pkg/registry/customresource/{strategy,status_strategy}.go (GetResetFields).
 */
import { formatGroupVersion } from "../apimachinery/gvk.ts";
import type { ResourceDefinition } from "../apimachinery/resource.ts";
import { ApplyError } from "./apply-error.ts";
import type { ApplyType } from "./apply-type.ts";
import { createConversions, type KnownConversions } from "./conversions.ts";
import { typeOfDefinition } from "./definition-type.ts";
import type { FieldScope } from "./field-manager.ts";
import { scaleType } from "./metadata-type.ts";
import { type PathSet, setOfPath, union } from "./path-set.ts";

/** The part of a definition that field management goes by. */
export type FieldDefinition = Pick<ResourceDefinition, "group" | "kind" | "versions">;

/**
 * Gives the scope of a write to a version, through one of its doors; a scale's is that of autoscaling/v1.
 * @param known of a resource whose store converts: what of that is known. The write throws ConversionsWanted for more.
 */
export type FieldScopes = (version: string, subresource: string, known?: KnownConversions) => FieldScope;

const statusFields = setOfPath(["f:status"]);
const otherFields = union(setOfPath(["f:metadata"]), setOfPath(["f:spec"]));
const scaleKind = { group: "autoscaling", version: "v1", kind: "Scale" };

/** Prepares the scopes of a resource. Types are read from a version's schema when they are first needed. */
export function createFieldScopes(definition: FieldDefinition): FieldScopes {
  const { group, kind } = definition;
  const versions = new Map(definition.versions.map((one) => [formatGroupVersion(group, one.name), one]));
  const types = new Map<string, ApplyType>();

  function typeOf(apiVersion: string): ApplyType {
    const known = types.get(apiVersion);
    if (known !== undefined) return known;
    const version = versions.get(apiVersion);
    if (version === undefined) {
      throw new ApplyError(`request to convert CR to an invalid group/version: ${apiVersion}`);
    }
    const type = typeOfDefinition(version.schema);
    types.set(apiVersion, type);
    return type;
  }

  function resetFields(own: string, subresource: string, apiVersion: string): PathSet | undefined {
    if (versions.get(apiVersion)?.status !== true) return undefined;
    if (subresource === "status") return otherFields;
    return apiVersion === own ? statusFields : undefined;
  }

  return (version, subresource, known) => {
    if (subresource === "scale") {
      const rules = { typeOf: () => scaleType, resetFields: () => undefined, conversions: undefined };
      return { gvk: scaleKind, subresource, rules };
    }
    const own = formatGroupVersion(group, version);
    const rules = {
      typeOf,
      resetFields: (apiVersion: string) => resetFields(own, subresource, apiVersion),
      conversions: known && createConversions(known, own),
    };
    return { gvk: { group, version, kind }, subresource, rules };
  };
}
