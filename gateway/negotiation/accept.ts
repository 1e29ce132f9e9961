/**
 * Accept into the form of an answer.
 *
 * Clauses are tried by quality, then by how specific they are; one whose transform is not offered
 * is skipped. If none is left: 406 with the list of media types.
 * Source: apiserver pkg/endpoints/handlers/negotiation/negotiate.go; munnerz/goautoneg.
 */
import type { AnswerForm } from "../apimachinery/answer-form.ts";
import { notAcceptable } from "../apimachinery/status.ts";

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
  /** A watch: JSON only. */
  readonly stream: boolean;
}

interface Clause {
  readonly type: string;
  readonly subtype: string;
  readonly quality: number;
  readonly params: ReadonlyMap<string, string>;
}

const offered = ["application/json", "application/yaml"] as const;
/** As kube-apiserver lists them for custom resources, protobuf included though only the meta types have it. */
const listed = "application/json, application/yaml, application/vnd.kubernetes.protobuf";
const listedStreams = "application/json;stream=watch, application/vnd.kubernetes.protobuf;stream=watch";

/**
 * Gives the form to answer in.
 * @throws StatusError 406 if nothing that is asked for can be given.
 */
export function negotiateAnswer(request: AcceptRequest, scope: AnswerScope): AnswerForm {
  const asked = request.accept ?? "";
  const form = asked === "" ? firstForm() : formFor(parseAccept(asked), scope);
  if (form === undefined || (scope.stream && form.mediaType === "application/yaml")) {
    throw notAcceptable(`only the following media types are accepted: ${scope.stream ? listedStreams : listed}`);
  }
  const pretty = form.mediaType === "application/json" && isPretty(request, form.pretty);
  return { ...form, pretty };
}

function firstForm(): AnswerForm {
  return { mediaType: "application/json", as: "", asVersion: "v1", pretty: false };
}

function formFor(clauses: readonly Clause[], scope: AnswerScope): AnswerForm | undefined {
  for (const clause of clauses) {
    for (const mediaType of offered) {
      const [type, subtype] = mediaType.split("/");
      const isMatch =
        (clause.type === type && (clause.subtype === subtype || clause.subtype === "*")) ||
        (clause.type === "*" && clause.subtype === "*");
      if (!isMatch) continue;
      const form = withParameters(mediaType, clause.params, scope);
      if (form !== undefined) return form;
    }
  }
  return undefined;
}

function withParameters(
  mediaType: AnswerForm["mediaType"],
  params: ReadonlyMap<string, string>,
  scope: AnswerScope,
): AnswerForm | undefined {
  const stream = params.get("stream") ?? "";
  if (stream !== "" && !(scope.stream && stream === "watch" && mediaType === "application/json")) return undefined;
  const serverVersion = params.get("sv") ?? "";
  if (serverVersion !== "" && serverVersion !== "v1") return undefined;
  const pretty = params.get("pretty") === "1";
  const transforms = params.has("as") || params.has("g") || params.has("v");
  if (!transforms) return { mediaType, as: "", asVersion: "v1", pretty };
  const as = params.get("as") ?? "";
  const asVersion = params.get("v") ?? "";
  if (params.get("g") !== "meta.k8s.io") return undefined;
  if (asVersion !== "v1" && asVersion !== "v1beta1") return undefined;
  if (as === "Table") return scope.table ? { mediaType, as, asVersion, pretty } : undefined;
  if (as === "PartialObjectMetadata" || as === "PartialObjectMetadataList") {
    return scope.partial ? { mediaType, as, asVersion, pretty } : undefined;
  }
  return undefined;
}

function isPretty(request: AcceptRequest, byAccept: boolean): boolean {
  const asked = request.prettyQuery ?? "";
  if (asked !== "") return ["1", "t", "T", "true", "TRUE", "True"].includes(asked);
  if (byAccept) return true;
  const agent = request.userAgent ?? "";
  return agent.startsWith("curl") || agent.startsWith("Wget") || agent.startsWith("Mozilla/5.0");
}

/** Reads an Accept header into its clauses, best first. */
export function parseAccept(header: string): readonly Clause[] {
  const clauses: Clause[] = [];
  for (const part of header.split(",")) {
    const [range = "", ...rest] = part.split(";");
    const [type = "", subtype, ...more] = range.trim().split("/");
    if (more.length > 0) continue;
    const isStar = subtype === undefined && type === "*";
    if (subtype === undefined && !isStar) continue;
    const params = new Map<string, string>();
    let quality = 1;
    for (const item of rest) {
      const [name = "", value = ""] = splitOnce(item.trim(), "=");
      const key = name.trim();
      if (key === "q") quality = Number.parseFloat(value) || (value === "" ? 1 : 0);
      else if (key !== "") params.set(key, value.trim().replace(/^"(.*)"$/, "$1"));
    }
    clauses.push({ type: type.trim(), subtype: isStar ? "*" : (subtype ?? "").trim(), quality, params });
  }
  return clauses
    .map((clause, index) => ({ clause, index }))
    .sort(compare)
    .map(({ clause }) => clause);
}

interface Placed {
  readonly clause: Clause;
  readonly index: number;
}

function compare(a: Placed, b: Placed): number {
  if (a.clause.quality !== b.clause.quality) return b.clause.quality - a.clause.quality;
  const rank = (clause: Clause) => (clause.type === "*" ? 0 : 2) + (clause.subtype === "*" ? 0 : 1);
  return rank(b.clause) - rank(a.clause) || a.index - b.index;
}

function splitOnce(text: string, separator: string): [string, string] {
  const at = text.indexOf(separator);
  return at < 0 ? [text, ""] : [text.slice(0, at), text.slice(at + separator.length)];
}
