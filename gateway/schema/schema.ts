/**
 * Declared schemas: whether one is structural, and what it does to an object.
 *
 *   read    coerceMetadata (drop malformed) → prune → default
 *   write   coerceMetadata (refuse malformed) → prune (name what is unknown) → default → … → validate
 *
 * prune and default change the object they are given; validate doesn't. Each is a Steps, and none
 * recurses on the stack over data. CEL rules stay reachable in each node and are not run yet.
 * Source: apiextensions-apiserver pkg/apiserver/schema, pkg/apiserver/validation.
 */
export { compileSchema, type SchemaFault } from "./compile.ts";
export { defaultSteps } from "./default.ts";
export { coerceEmbedded } from "./embedded.ts";
export { type CoerceOptions, coerceMetadata } from "./metadata.ts";
export type { Schema, SchemaNode } from "./node.ts";
export { pruneSteps } from "./prune.ts";
export { validateSteps } from "./validate.ts";
