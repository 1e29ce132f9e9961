/**
 * The continue token of a chunked list, in Kubernetes' form.
 *
 * base64url of `{"v":"meta.k8s.io/v1","rv":N,"start":"<last key>\u0000"}`, and beside it the store's
 * own token, which clients carry without looking. `rv` -1 continues at the latest state.
 * Source: apiserver pkg/storage/continue.go.
 */
import { normalize } from "node:path/posix";
import { goTypeWord } from "../apimachinery/go-type.ts";
import { isJsonObject, JsonSyntaxError, type JsonValue, parseJson } from "../apimachinery/json.ts";
import { badRequest } from "../apimachinery/status.ts";

/** A token's content. */
export interface ContinueToken {
  /** The revision of the first page; -1: the latest state, no longer that of the first page. */
  readonly revision: bigint;
  /** The key after which to go on, `namespace/name` or `name`. */
  readonly after: string;
  /** The store's own token; empty if it gave none. */
  readonly storeToken: Uint8Array;
}

const version = "meta.k8s.io/v1";

/** Gives the token's text. */
export function formatContinueToken(token: ContinueToken): string {
  const start = JSON.stringify(`${token.after}\u0000`);
  const own = token.storeToken.length === 0 ? "" : `,"s":"${Buffer.from(token.storeToken).toString("base64")}"`;
  return Buffer.from(`{"v":"${version}","rv":${token.revision},"start":${start}${own}}`).toString("base64url");
}

/**
 * Reads a token.
 * @throws StatusError 400 with kube-apiserver's text if it is none of ours.
 */
export function parseContinueToken(text: string): ContinueToken {
  if (!/^[A-Za-z0-9_-]*$/.test(text)) throw bad(`illegal base64 data at input byte ${text.search(/[^A-Za-z0-9_-]/)}`);
  const { v, rv, start, s } = readFields(Buffer.from(text, "base64url"));
  if (v !== version) throw bad(`server does not recognize this encoded version ${v}`);
  if (rv === 0n) throw bad(`incorrect encoded start resourceVersion (version ${version})`);
  if (start === "") throw bad(`encoded start key empty (version ${version})`);
  if (!isCleanKey(start)) throw bad(start);
  return {
    revision: rv,
    after: start.endsWith("\u0000") ? start.slice(0, -1) : start,
    storeToken: Buffer.from(s, "base64"),
  };
}

/** Reads as Go decodes into a struct: a field that isn't there has its type's zero. */
function readFields(bytes: Buffer): { v: string; rv: bigint; start: string; s: string } {
  let body: JsonValue;
  try {
    body = parseJson(bytes);
  } catch (error) {
    if (!(error instanceof JsonSyntaxError)) throw error;
    throw bad(error.message);
  }
  if (!isJsonObject(body))
    throw bad(`json: cannot unmarshal ${goTypeWord(body)} into Go value of type storage.continueToken`);
  const fields = body;
  const wrong = (key: string, type: string) =>
    bad(
      `json: cannot unmarshal ${goTypeWord(fields[key] ?? null)} into Go struct field continueToken.${key} of type ${type}`,
    );
  const text = (key: string): string => {
    const value = fields[key] ?? "";
    if (typeof value !== "string") throw wrong(key, "string");
    return value;
  };
  const rv = fields["rv"] ?? 0;
  if (typeof rv !== "bigint" && !Number.isInteger(rv)) throw wrong("rv", "int64");
  return { v: text("v"), rv: BigInt(rv as number | bigint), start: text("start"), s: text("s") };
}

/** Nobody may climb out of the collection. */
function isCleanKey(key: string): boolean {
  const absolute = key.startsWith("/") ? key : `/${key}`;
  return normalize(absolute) === absolute;
}

function bad(why: string) {
  return badRequest(`invalid continue token: continue key is not valid: ${why}`);
}
