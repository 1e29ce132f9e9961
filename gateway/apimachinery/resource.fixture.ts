/** Builders for unit tests: definitions and tables, each with what a test varies. */
import type { ResourceDefinition, ResourceTable, ResourceVersionDefinition } from "./resource.ts";

/** A served version without schema or subresources. */
export function versionWith(change: Partial<ResourceVersionDefinition> = {}): ResourceVersionDefinition {
  return {
    name: "v1",
    served: true,
    deprecated: false,
    deprecationWarning: "",
    schema: undefined,
    columns: [],
    selectableFields: [],
    status: false,
    scale: undefined,
    ...change,
  };
}

/** A namespaced resource with every verb. */
export function definitionWith(change: Partial<ResourceDefinition> = {}): ResourceDefinition {
  return {
    group: "example.com",
    plural: "widgets",
    singular: "widget",
    kind: "Widget",
    listKind: "WidgetList",
    shortNames: [],
    categories: [],
    namespaced: true,
    versions: [versionWith()],
    storageVersion: "v1",
    verbs: ["get", "list", "watch", "create", "update", "patch", "delete", "deletecollection"],
    capabilities: {
      resume: true,
      progress: true,
      exactRead: true,
      snapshotList: true,
      previousObject: true,
      dryRun: true,
      unconditionalUpdate: false,
      idempotentWrites: true,
      nativeDeleteCollection: false,
      projectMetadata: false,
      hookMutate: false,
      hookValidate: false,
      hookConvert: false,
      hookTabulate: false,
    },
    createOnUpdate: false,
    lifecycle: "gateway",
    subresources: [],
    maxObjectBytes: 1_000_000,
    polledWatchMs: 0,
    perUserReads: false,
    ownerScope: undefined,
    ...change,
  };
}

/** A table of resources for rooms that read its list and nothing else. */
export function tableWith(...resources: ResourceDefinition[]): ResourceTable {
  return { generation: 1, resources, find: () => undefined, hasGroup: () => false };
}
