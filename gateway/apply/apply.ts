/**
 * Server-side apply, and who owns which field of an object: managedFields.
 *
 *   trackUpdate   a create, update or patch: live and next state in, next state with managedFields out
 *   applyPatch    an apply: live object and patch in, next state with managedFields out, or a conflict
 *
 * The core is pure: values (JSON), sets (path-set.ts) and types (apply-type.ts) in, values and sets out.
 *
 *   definition-type   schema → type
 *   validate, field-set, compare, merge, remove, reconcile   what a value is under a type
 *   ownership         update and apply over values, sets and owners
 *   managed-fields    owners ↔ metadata.managedFields
 *   conversions       objects in the versions of their owners, where a store converts
 *   field-manager     what Kubernetes does around it
 *   field-management  the same for verbs, with a thread for large objects
 *   scale             owners of replicas, from an object to its Scale and back
 *
 * Sets are kept in their wire form, so what a write doesn't touch is neither decoded nor encoded.
 * Walks recurse, but over types, which are no deeper than schemas are.
 * Source: structured-merge-diff v6; apimachinery pkg/util/managedfields; KEP-555.
 */
export type { Convert } from "./conversions.ts";
export { createFieldManagement, type FieldManagement, type FieldTarget } from "./field-management.ts";
export { type AppliedWrite, applyPatch, type FieldScope, type TrackedWrite, trackUpdate } from "./field-manager.ts";
export { createFieldScopes, type FieldDefinition, type FieldScopes } from "./field-scopes.ts";
export { withParentFields, withScaleFields } from "./scale.ts";
