/** Pages of a list, all of one state: a continue token names the revision and the last key. */
import { badRequest, expired, type ListCall, type ListPage } from "../sdk/sdk.ts";
import type { Reader } from "./reader.ts";
import { resourceText, storedFrom } from "./rows.ts";

/** Rows and bytes of one page: some milliseconds of the event loop. */
const pageRows = 500;
const pageBytes = 1024 * 1024;

/** Gives a page. @throws ConnectError OUT_OF_RANGE, INVALID_ARGUMENT. */
export function listPage(reader: Reader, call: ListCall): ListPage {
  const from = parseToken(call.continueToken);
  const at = from?.revision ?? call.atRevision;
  const { namespace } = call;
  // "0" is the character after "/".
  const range = {
    resource: resourceText(call.resource),
    after: from?.after ?? (namespace === "" ? "" : `${namespace}/`),
    end: namespace === "" ? "\u{10ffff}" : `${namespace}0`,
    at,
  };
  const page = reader.list(range, Math.min(call.limit || pageRows, pageRows), pageBytes);
  if (at !== undefined && at < page.compacted) throw expired(page.compacted);
  if (at !== undefined && at > page.head) throw badRequest("the continue token is of another store");
  const items = page.rows.map(storedFrom);
  const revision = at ?? page.head;
  const last = page.rows.at(-1);
  if (!page.hasMore || last === undefined) return { items, revision };
  return {
    items,
    revision,
    continueToken: Buffer.from(JSON.stringify([String(revision), last.key])),
    remaining: () => reader.count({ ...range, after: last.key, at: revision }),
  };
}

/** Largest revision that SQLite holds. */
const maxRevision = 2n ** 63n - 1n;

function parseToken(token: Uint8Array): { readonly revision: bigint; readonly after: string } | undefined {
  if (token.length === 0) return undefined;
  try {
    const [revision, after] = JSON.parse(Buffer.from(token).toString()) as [string, string];
    const number = BigInt(revision);
    if (number >= 1n && number <= maxRevision && typeof after === "string") return { revision: number, after };
  } catch {
    // Not JSON, or no number in it: the same answer as for any other text.
  }
  throw badRequest("the continue token can't be read");
}
