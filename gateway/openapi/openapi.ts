/**
 * OpenAPI v2 and v3 from the definitions: the index, the documents, and how they are cached.
 *
 * A document is made when it is first asked for, in slices, and kept until the table changes. Absent
 * on purpose: v3 as protobuf, which no client asks for; it is answered with 406.
 * Source: kube-openapi pkg/handler, pkg/handler3.
 */
import type { HttpAnswer, HttpHeaders, HttpRequest } from "../apimachinery/http.ts";
import type { ResourceTable } from "../apimachinery/resource.ts";
import { createDocuments, type Document, type Documents } from "./documents.ts";
import type { NameReplacements } from "./rename.ts";
import { v2ProtobufTypes } from "./v2-protobuf.ts";

export type { NameReplacements } from "./rename.ts";

/** Answers OpenAPI requests. */
export interface OpenApi {
  /** Undefined: not a path of OpenAPI's. */
  answer(request: HttpRequest, table: ResourceTable): Promise<HttpAnswer | undefined>;
}

const oneYearMs = 365 * 24 * 3600 * 1000;
const v3Root = "/openapi/v3";

/** What documents are made with. */
export interface OpenApiOptions {
  /** Dates them. */
  readonly clock?: () => Date;
  /** Default: none. */
  readonly names?: NameReplacements;
}

/** Makes the cache of documents. */
export function createOpenApi({ clock = () => new Date(), names = {} }: OpenApiOptions = {}): OpenApi {
  const cache = new WeakMap<ResourceTable, Documents>();

  function documentsOf(table: ResourceTable): Documents {
    let documents = cache.get(table);
    if (documents === undefined) {
      documents = createDocuments(table, { clock, names });
      cache.set(table, documents);
    }
    return documents;
  }

  return {
    async answer(request, table) {
      const { path } = request;
      if (path === "/openapi/v2") {
        const vary = { Vary: ["Accept-Encoding", "Accept"] };
        if (accepts(request)) return await serve(request, await documentsOf(table).v2(), vary);
        if (!accepts(request, v2ProtobufTypes)) return notAcceptable(vary);
        const headers = { ...vary, "Content-Type": v2ProtobufTypes[1] };
        return await serve(request, await documentsOf(table).v2Protobuf(), headers);
      }
      if (path === v3Root) return await serve(request, await documentsOf(table).index(), {});
      if (!path.startsWith(`${v3Root}/`)) return undefined;
      const key = path.slice(v3Root.length + 1);
      const document = await documentsOf(table).v3(key);
      if (document === undefined) return { status: 404, headers: {}, body: Buffer.alloc(0) };
      if (!accepts(request)) return notAcceptable({ Vary: "Accept" });
      return await serveV3(request, key, document, clock());
    },
  };
}

async function serveV3(request: HttpRequest, key: string, document: Document, now: Date): Promise<HttpAnswer> {
  const asked = new URLSearchParams(request.query).get("hash") ?? "";
  if (asked !== "" && asked !== document.hash) {
    const location = `${v3Root}/${key}?hash=${document.hash}`;
    return { status: 301, headers: { Location: location, Vary: "Accept" }, body: Buffer.alloc(0) };
  }
  if (asked === "") return await serve(request, document, { Vary: "Accept" });
  const expires = new Date(now.getTime() + oneYearMs).toUTCString().replace("GMT", "UTC");
  return await serve(request, document, {
    Vary: "Accept",
    "Cache-Control": "public, immutable",
    Expires: expires,
  });
}

async function serve(request: HttpRequest, document: Document, headers: HttpHeaders): Promise<HttpAnswer> {
  const etag = `"${document.hash}"`;
  if (isKnown(request.header("if-none-match"), etag)) {
    return { status: 304, headers: { ...headers, ETag: etag }, body: Buffer.alloc(0) };
  }
  const all: HttpHeaders = {
    "Content-Type": "application/json",
    ...headers,
    ETag: etag,
    "Last-Modified": document.modified.toUTCString(),
  };
  const packed = takesGzip(request) ? await document.gzip() : undefined;
  if (packed === undefined) return { status: 200, headers: all, body: document.bytes };
  const vary = [all["Vary"] ?? []].flat().filter((name) => name !== "Accept-Encoding");
  return {
    status: 200,
    headers: { ...all, Vary: ["Accept-Encoding", ...vary], "Content-Encoding": "gzip" },
    body: packed,
  };
}

/** Whether the client has the document already: a list of tags, weak ones too, or any. */
function isKnown(ifNoneMatch: string | undefined, etag: string): boolean {
  const tags = (ifNoneMatch ?? "").split(",").map((tag) => tag.trim().replace(/^W\//, ""));
  return tags.includes(etag) || tags.includes("*");
}

function takesGzip(request: HttpRequest): boolean {
  return (request.header("accept-encoding") ?? "").split(",").some((token) => token.trim() === "gzip");
}

const jsonTypes = ["", "application/json", "application/*", "*/*"];

function accepts(request: HttpRequest, types: readonly string[] = jsonTypes): boolean {
  const clauses = (request.header("accept") ?? "").split(",");
  return clauses.some((clause) => types.includes(clause.split(";")[0]?.trim() ?? ""));
}

/** `headers` say by what the answer varies: a cache must not give this one to a client that takes JSON. */
function notAcceptable(headers: HttpHeaders): HttpAnswer {
  return { status: 406, headers, body: Buffer.alloc(0) };
}
