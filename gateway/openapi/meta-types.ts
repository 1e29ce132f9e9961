/**
 * The types that every resource shares, described in our own words: meta.v1 and autoscaling/v1 Scale.
 *
 * Fields and extensions are those of Kubernetes, for kubectl merges and explains by them.
 * Source: apimachinery pkg/apis/meta/v1/types.go; k8s.io/api autoscaling/v1.
 */
import type { JsonObject } from "../apimachinery/json.ts";

const meta = "io.k8s.apimachinery.pkg.apis.meta.v1";

/** Names of the shared types. */
export const metaNames = {
  objectMeta: `${meta}.ObjectMeta`,
  listMeta: `${meta}.ListMeta`,
  ownerReference: `${meta}.OwnerReference`,
  managedFieldsEntry: `${meta}.ManagedFieldsEntry`,
  fields: `${meta}.FieldsV1`,
  time: `${meta}.Time`,
  patch: `${meta}.Patch`,
  status: `${meta}.Status`,
  statusDetails: `${meta}.StatusDetails`,
  statusCause: `${meta}.StatusCause`,
  deleteOptions: `${meta}.DeleteOptions`,
  preconditions: `${meta}.Preconditions`,
  scale: "io.k8s.api.autoscaling.v1.Scale",
  scaleSpec: "io.k8s.api.autoscaling.v1.ScaleSpec",
  scaleStatus: "io.k8s.api.autoscaling.v1.ScaleStatus",
} as const;

const text = (description: string): JsonObject => ({ description, type: "string" });
const flag = (description: string): JsonObject => ({ description, type: "boolean" });
const int64 = (description: string): JsonObject => ({ description, format: "int64", type: "integer" });
const int32 = (description: string): JsonObject => ({ description, format: "int32", type: "integer" });
const textMap = (description: string): JsonObject => ({
  additionalProperties: { type: "string" },
  description,
  type: "object",
});
const object = (description: string, properties: JsonObject, required: string[] = []): JsonObject => ({
  description,
  type: "object",
  properties,
  ...(required.length > 0 ? { required } : {}),
});
const apiVersion = text("Group and version of the schema that the object follows.");
const kind = text("What the object is: the name of its schema, in CamelCase.");

/** Gives the shared types, DeleteOptions as one of each group and version. `ref` writes a reference, for v2 and v3 do it differently. */
export function metaTypes(
  ref: (name: string, description: string) => JsonObject,
  groupVersions: readonly { readonly group: string; readonly version: string }[],
): JsonObject {
  const n = metaNames;
  const gvk = (kindName: string) => {
    const others = new Map(groupVersions.map((one) => [`${one.group}/${one.version}`, one]));
    return [{ group: "", version: "v1" }, ...others.values()].map(({ group, version }) => ({
      group,
      kind: kindName,
      version,
    }));
  };
  const list = (description: string, items: JsonObject): JsonObject => ({ description, items, type: "array" });
  return {
    [n.time]: { description: "A moment in RFC 3339, UTC, to the second.", format: "date-time", type: "string" },
    [n.fields]: { description: "A set of fields, as a trie.", type: "object" },
    [n.patch]: { description: "A change of an object, in the form that the media type says.", type: "object" },
    [n.ownerReference]: {
      ...object(
        "Names an object that owns this one, in the same namespace or cluster-scoped.",
        {
          apiVersion: text("Group and version of the owner."),
          blockOwnerDeletion: flag("Whether a foreground deletion of the owner waits for this object."),
          controller: flag("Whether the owner is the one controller of this object."),
          kind: text("Kind of the owner."),
          name: text("Name of the owner."),
          uid: text("Uid of the owner."),
        },
        ["apiVersion", "kind", "name", "uid"],
      ),
      "x-kubernetes-map-type": "atomic",
    },
    [n.managedFieldsEntry]: object("Who manages which fields, through which version.", {
      apiVersion: text("Version in which the fields are named."),
      fieldsType: text("The form of the fields: FieldsV1."),
      fieldsV1: ref(n.fields, "The fields."),
      manager: text("Who manages them."),
      operation: text("How they were set: Apply or Update."),
      subresource: text("Through which subresource they were set."),
      time: ref(n.time, "When the entry last changed."),
    }),
    [n.objectMeta]: object("What every object carries about itself.", {
      annotations: textMap("Data that tools keep with the object; not for selecting."),
      creationTimestamp: ref(n.time, "When the object was created. Set by the server."),
      deletionGracePeriodSeconds: int64("Seconds that the deletion leaves. Set by the server."),
      deletionTimestamp: ref(n.time, "When the object is to be gone. Set by the server once a deletion was asked for."),
      finalizers: {
        description: "What must be done before the object is removed; each who does it removes its entry.",
        items: { type: "string" },
        type: "array",
        "x-kubernetes-list-type": "set",
        "x-kubernetes-patch-strategy": "merge",
      },
      generateName: text("Beginning of a name that the server completes, if no name is given."),
      generation: int64("Grows with each change of what is wanted. Set by the server."),
      labels: textMap("Keys and values to select objects by."),
      managedFields: {
        ...list("Who manages which fields. Kept by the server.", ref(n.managedFieldsEntry, "")),
        "x-kubernetes-list-type": "atomic",
      },
      name: text("Unique among objects of one resource and namespace. Cannot be changed."),
      namespace: text("The space within which the name is unique. Cannot be changed."),
      ownerReferences: {
        ...list("Objects that own this one: when all are gone, so is it.", ref(n.ownerReference, "")),
        "x-kubernetes-list-map-keys": ["uid"],
        "x-kubernetes-list-type": "map",
        "x-kubernetes-patch-merge-key": "uid",
        "x-kubernetes-patch-strategy": "merge",
      },
      resourceVersion: text("The state of the object, to detect changes by. Set by the server."),
      selfLink: text("No longer set."),
      uid: text("Unique over all objects and times. Set by the server."),
    }),
    [n.listMeta]: object("What every list carries about itself.", {
      continue: text("Token of the next page; empty on the last."),
      remainingItemCount: int64("Objects after this page, where that is known."),
      resourceVersion: text("The state that was listed."),
      selfLink: text("No longer set."),
    }),
    [n.statusCause]: object("One detail of a failure.", {
      field: text("The field that it is about."),
      message: text("For people."),
      reason: text("For machines."),
    }),
    [n.statusDetails]: object("What a failure is about.", {
      causes: { ...list("Details.", ref(n.statusCause, "")), "x-kubernetes-list-type": "atomic" },
      group: text("Group of the resource."),
      kind: text("Resource or kind."),
      name: text("Name of the object."),
      retryAfterSeconds: int32("Seconds after which to try again."),
      uid: text("Uid of the object."),
    }),
    [n.status]: {
      ...object("The outcome of a request that answers with no object.", {
        apiVersion,
        code: int32("The HTTP status."),
        details: { ...ref(n.statusDetails, "What the outcome is about."), "x-kubernetes-list-type": "atomic" },
        kind,
        message: text("For people."),
        metadata: ref(n.listMeta, "Metadata of the answer."),
        reason: text("For machines."),
        status: text("Success or Failure."),
      }),
      "x-kubernetes-group-version-kind": [{ group: "", kind: "Status", version: "v1" }],
    },
    [n.preconditions]: object("What must hold for a delete.", {
      resourceVersion: text("The object's resourceVersion."),
      uid: text("The object's uid."),
    }),
    [n.deleteOptions]: {
      ...object("How to delete.", {
        apiVersion,
        dryRun: {
          ...list("`All`: check everything and remove nothing.", { type: "string" }),
          "x-kubernetes-list-type": "atomic",
        },
        gracePeriodSeconds: int64("Seconds until the object is removed."),
        ignoreStoreReadErrorWithClusterBreakingPotential: flag("Not used here."),
        kind,
        orphanDependents: flag("Deprecated: use propagationPolicy."),
        preconditions: ref(n.preconditions, "What must hold of the object."),
        propagationPolicy: text("What becomes of dependents: Orphan, Background or Foreground."),
      }),
      "x-kubernetes-group-version-kind": gvk("DeleteOptions"),
    },
    [n.scaleSpec]: object("How many are wanted.", { replicas: int32("The number wanted.") }),
    [n.scaleStatus]: object(
      "How many there are.",
      { replicas: int32("The number that was seen."), selector: text("Selects what is counted.") },
      ["replicas"],
    ),
    [n.scale]: {
      ...object("A request to have so many of something.", {
        apiVersion,
        kind,
        metadata: ref(n.objectMeta, "Metadata of the object that is scaled."),
        spec: ref(n.scaleSpec, "How many are wanted."),
        status: ref(n.scaleStatus, "How many there are."),
      }),
      "x-kubernetes-group-version-kind": [{ group: "autoscaling", kind: "Scale", version: "v1" }],
    },
  };
}
