/**
 * The continue token of a chunked list, in Kubernetes' form.
 *
 * base64url of `{"v":"meta.k8s.io/v1","rv":N,"start":"<last key>\u0000"}`, and beside it the store's
 * own token, which clients carry without looking. `rv` -1 continues at the latest state.
 * Source: apiserver pkg/storage/continue.go.
 */
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
  let body: unknown;
  try {
    body = JSON.parse(Buffer.from(text, "base64url").toString());
  } catch (error) {
    throw bad((error as Error).message);
  }
  if (typeof body !== "object" || body === null)
    throw bad("json: cannot unmarshal value into Go value of type storage.continueToken");
  const fields = body as Record<string, unknown>;
  const rv = fields["rv"];
  const start = fields["start"];
  const storeToken = fields["s"];
  if (fields["v"] !== version)
    throw bad(`server does not recognize this encoded version "${String(fields["v"] ?? "")}"`);
  if (typeof rv !== "number" || rv === 0) throw bad(`incorrect encoded start resourceVersion (version ${version})`);
  if (typeof start !== "string" || start === "") throw bad(`encoded start key empty (version ${version})`);
  if (start.split("/").includes("..")) throw bad(`invalid start key: ${start}`);
  return {
    revision: readRevision(text, rv),
    after: start.endsWith("\u0000") ? start.slice(0, -1) : start,
    storeToken: typeof storeToken === "string" ? Buffer.from(storeToken, "base64") : new Uint8Array(),
  };
}

/** JSON.parse rounds integers past 2^53, so a large one is read from the text itself. */
function readRevision(text: string, rounded: number): bigint {
  if (Number.isSafeInteger(rounded)) return BigInt(rounded);
  const digits = /"rv":(-?[0-9]+)/.exec(Buffer.from(text, "base64url").toString())?.[1];
  if (digits === undefined) throw bad(`incorrect encoded start resourceVersion (version ${version})`);
  return BigInt(digits);
}

function bad(why: string) {
  return badRequest(`invalid continue token: continue key is not valid: ${why}`);
}
