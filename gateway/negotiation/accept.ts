/**
 * Accept into the form of an answer.
 *
 * Clauses are tried best first; one whose transform is not offered is skipped. If none is left: 406
 * with the list of media types.
 * Source: apiserver pkg/endpoints/handlers/negotiation/negotiate.go, pkg/endpoints/handlers/rest.go.
 */
import { type AnswerForm, plainJson } from "../apimachinery/answer-form.ts";
import { notAcceptable } from "../apimachinery/status.ts";
import { type AcceptClause, parseAccept } from "./accept-clauses.ts";

/** The headers and the query that decide. */
export interface AcceptRequest {
  readonly accept: string | undefined;
  readonly userAgent: string | undefined;
  /** The `pretty` parameter; undefined if it is not in the query. */
  readonly prettyQuery: string | undefined;
}

/** What an endpoint offers. */
export interface AnswerScope {
  /** Tables. */
  readonly table: boolean;
  /** PartialObjectMetadata and its list. */
  readonly partial: boolean;
  /** A watch: JSON only, and never indented. */
  readonly stream: boolean;
  /** A failure, or discovery: no clause may ask for a version of the server. Default false. */
  readonly ownDocument?: boolean;
}

/** Protobuf has only the meta types of custom resources, yet kube-apiserver lists it. */
const listed = "application/json, application/yaml, application/vnd.kubernetes.protobuf";
const listedStreams = "application/json;stream=watch, application/vnd.kubernetes.protobuf;stream=watch";

/**
 * Gives the form to answer in.
 * @throws StatusError 406 if nothing that is asked for can be given.
 */
export function negotiateAnswer(request: AcceptRequest, scope: AnswerScope): AnswerForm {
  const form = request.accept ? formFor(parseAccept(request.accept), scope) : plainJson;
  if (form === undefined) throw onlyAccepted(listed);
  if (scope.stream && form.mediaType !== "application/json") throw onlyAccepted(listedStreams);
  const mayIndent = form.mediaType === "application/json" && !scope.stream;
  return { ...form, pretty: mayIndent && (form.pretty || isPretty(request)) };
}

/** Whether a client that takes no form of ours takes a failure as protobuf. */
export function takesProtobuf(accept: string | undefined): boolean {
  return parseAccept(accept ?? "").some(
    ({ type, subtype, params }) =>
      type === "application" &&
      subtype === "vnd.kubernetes.protobuf" &&
      !["as", "g", "v"].some((one) => params.has(one)),
  );
}

function onlyAccepted(mediaTypes: string) {
  return notAcceptable(`only the following media types are accepted: ${mediaTypes}`);
}

function formFor(clauses: readonly AcceptClause[], scope: AnswerScope): AnswerForm | undefined {
  for (const { type, subtype, params } of clauses) {
    for (const offered of ["json", "yaml"] as const) {
      const isMatch = type === "application" ? subtype === offered || subtype === "*" : type === "*" && subtype === "*";
      const form = isMatch ? formOf(`application/${offered}`, params, scope) : undefined;
      if (form !== undefined) return form;
    }
  }
  return undefined;
}

function formOf(
  mediaType: AnswerForm["mediaType"],
  params: ReadonlyMap<string, string>,
  scope: AnswerScope,
): AnswerForm | undefined {
  const stream = params.get("stream") ?? "";
  if (stream !== "" && (stream !== "watch" || mediaType !== "application/json")) return undefined;
  const serverVersion = params.get("sv") ?? "";
  if (serverVersion !== "" && (serverVersion !== "v1" || scope.ownDocument === true)) return undefined;
  const plain = { mediaType, as: "", asVersion: "v1", pretty: params.get("pretty") === "1" } as const;
  if (!params.has("as") && !params.has("g") && !params.has("v")) return plain;
  const as = params.get("as");
  const asVersion = params.get("v");
  if (params.get("g") !== "meta.k8s.io") return undefined;
  if (asVersion !== "v1" && asVersion !== "v1beta1") return undefined;
  if (as === "Table") return scope.table ? { ...plain, as, asVersion } : undefined;
  if (as === "PartialObjectMetadata" || as === "PartialObjectMetadataList") {
    return scope.partial ? { ...plain, as, asVersion } : undefined;
  }
  return undefined;
}

/** The query decides if it says anything; else whether a person seems to look on. */
function isPretty({ prettyQuery, userAgent = "" }: AcceptRequest): boolean {
  if (prettyQuery) return ["1", "t", "T", "true", "TRUE", "True"].includes(prettyQuery);
  return ["curl", "Wget", "Mozilla/5.0"].some((agent) => userAgent.startsWith(agent));
}
