/**
 * Content-Type and Accept: how a request's body is read, and in which form it is answered.
 *
 * The body is read only after the request was authorized, and a large one in slices.
 * Source: apiserver pkg/endpoints/handlers/negotiation.
 */
export { type AcceptRequest, type AnswerScope, negotiateAnswer, takesProtobuf } from "./accept.ts";
export { type AcceptClause, parseAccept } from "./accept-clauses.ts";
export { type DecodedBody, decodeJson, decodeLoosely, decodeObject } from "./body.ts";
export { type BodyFormat, bodyFormat } from "./media-type.ts";
