/**
 * The verbs: each takes one authorized request and gives the object, the list or the stream to answer
 * with. It conducts patch, schema, lifecycle, registry and watchcache, and knows no URL and no header.
 *
 * Source: apiserver pkg/endpoints/handlers, pkg/registry/generic/registry/store.go.
 */

export { apply, applyScale } from "./apply.ts";
export { connect } from "./connect.ts";
export { create } from "./create.ts";
export { type Answered, createImperative } from "./create-imperative.ts";
export { type Deleted, remove, removeCollection } from "./delete.ts";
export { get } from "./get.ts";
export { type ListResult, list } from "./list.ts";
export { type PatchBody, patch, patchScale } from "./patch.ts";
export { present, presentInSlices, type SchemaOf } from "./present.ts";
export { scaleOf } from "./scale.ts";
export { type ScaleBody, takeScale } from "./scale-body.ts";
export { stream } from "./stream.ts";
export { createStreamSeats } from "./stream-seats.ts";
export { tabulate } from "./tabulate.ts";
export { type Updated, update, updateScale } from "./update.ts";
export { kindWord, type RequestBody, resourceWord, type VerbRequest, type VerbTools } from "./verb-request.ts";
export { watch } from "./watch.ts";
export { overWebSocket } from "./watch-socket.ts";
