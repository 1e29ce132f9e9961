/**
 * The types of what every object has: ObjectMeta, and a Scale.
 *
 * Source: apimachinery's OpenAPI of ObjectMeta and OwnerReference, autoscaling/v1's of Scale; kube-openapi
 * pkg/schemaconv: a time is a string with a format, hence any scalar.
 */
import { type ApplyType, deduced, listType, mapOf, scalarType, structType } from "./apply-type.ts";

const text = scalarType("string");
const number = scalarType("numeric");
const flag = scalarType("boolean");
const time = scalarType("untyped");

const ownerReference = structType(
  { apiVersion: text, kind: text, name: text, uid: text, controller: flag, blockOwnerDeletion: flag },
  true,
);

const managedFieldsEntry = structType({
  manager: text,
  operation: text,
  apiVersion: text,
  fieldsType: text,
  fieldsV1: mapOf(deduced),
  subresource: text,
  time,
});

/** The type of metadata. */
export const objectMetaType: ApplyType = structType({
  name: text,
  generateName: text,
  namespace: text,
  selfLink: text,
  uid: text,
  resourceVersion: text,
  generation: number,
  creationTimestamp: time,
  deletionTimestamp: time,
  deletionGracePeriodSeconds: number,
  labels: mapOf(text),
  annotations: mapOf(text),
  ownerReferences: listType(ownerReference, ["uid"]),
  finalizers: listType(text, "set"),
  managedFields: listType(managedFieldsEntry),
});

/** What every object has, by name. */
export const objectFields: Readonly<Record<string, ApplyType>> = {
  apiVersion: text,
  kind: text,
  metadata: objectMetaType,
};

/** The type of an autoscaling/v1 Scale. */
export const scaleType: ApplyType = structType({
  ...objectFields,
  spec: structType({ replicas: number }),
  status: structType({ replicas: number, selector: text }),
});
