/**
 * Declared schemas: whether one is structural, and what it does to an object.
 *
 *   read    coerceMetadata (drop malformed) → prune → default
 *   write   coerceMetadata (refuse malformed) → prune (name what is unknown) → coerceEmbedded → default
 *           → … → validate, or validateStatus where only the status can change
 *
 * prune and default change the object they are given; validate doesn't. Each is a Steps, and none
 * recurses on the stack over data. CEL rules stay reachable in each node and are not run yet.
 * Source: apiextensions-apiserver pkg/apiserver/schema, pkg/apiserver/validation.
 */
export { type Compiled, compileSchema, compileSchemaSteps } from "./compile.ts";
export { type Defaulting, defaultSteps } from "./default.ts";
export { coerceEmbedded, type EmbeddedMetadataCheck } from "./embedded.ts";
export type { SchemaFault } from "./keywords.ts";
export { type CoerceOptions, coerceMetadata, MetadataTypeError, readMetadata } from "./metadata.ts";
export type { Schema, SchemaNode } from "./node.ts";
export { type Pruned, pruneSteps } from "./prune.ts";
export { type ValidateOptions, validateStatusSteps, validateSteps } from "./validate.ts";
