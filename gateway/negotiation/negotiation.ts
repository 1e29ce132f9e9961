/**
 * Content-Type and Accept: how a request's body is read, and in which form it is answered.
 *
 * The body is read only after the request was authorized. YAML and large JSON never hold the event
 * loop for long.
 * Source: apiserver pkg/endpoints/handlers/negotiation.
 */
export { type AcceptRequest, type AnswerScope, negotiateAnswer, parseAccept } from "./accept.ts";
export {
  type BodyFormat,
  bodyFormat,
  type DecodedBody,
  decodeObject,
  decodeValue,
} from "./body.ts";
