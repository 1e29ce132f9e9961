/**
 * The resources that a store describes, to check a call against before the store sees it: what isn't
 * described isn't served, and what isn't declared isn't offered.
 */
import { Code, ConnectError } from "@connectrpc/connect";
import { Capability, Scope } from "../../gen/annex/store/v1/catalog_pb.js";
import type { ResourceRef } from "../../gen/annex/store/v1/object_pb.js";
import type { ResourceDescription, Store } from "./store.ts";

/** One described resource. */
export interface Described {
  readonly isNamespaced: boolean;
  has(capability: Capability): boolean;
  /** @throws ConnectError UNIMPLEMENTED if the capability isn't declared. */
  need(capability: Capability): void;
  /** Whether it is a custom subresource of this resource. */
  hasSubresource(name: string): boolean;
}

/** Gives the function that finds what a call is about, among what the store describes now. */
export function describedResources(store: Pick<Store, "resources">): (ref: ResourceRef | undefined) => Described {
  let resources: Store["resources"] = [];
  let known = new Map<string, Described>();
  return (ref) => {
    if (resources !== store.resources) {
      resources = store.resources;
      known = new Map(resources.map((resource) => [`${resource.plural}.${resource.group}`, describedFrom(resource)]));
    }
    const found = ref === undefined || ref.subresource !== "" ? undefined : known.get(`${ref.plural}.${ref.group}`);
    if (found !== undefined) return found;
    const said = ref === undefined ? "no resource" : `${ref.plural}.${ref.group} ${ref.subresource}`.trim();
    throw new ConnectError(`${said} is not served here`, Code.Unimplemented);
  };
}

function describedFrom(resource: ResourceDescription): Described {
  const declared = new Set(resource.capabilities);
  return {
    isNamespaced: resource.scope === Scope.NAMESPACED,
    has: (capability) => declared.has(capability),
    hasSubresource: (name) => resource.subresources?.some((one) => one.name === name) === true,
    need(capability) {
      if (declared.has(capability)) return;
      throw new ConnectError(`${Capability[capability]} is not declared`, Code.Unimplemented);
    },
  };
}
