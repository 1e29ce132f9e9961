/**
 * OpenAPI v2 and v3 from the definitions: the index, the documents, and how they are cached.
 *
 * A document is made when it is first asked for, in slices, and kept until the table changes. Absent
 * on purpose: the protobuf encoding, which only old kubectl asks for when it is not behind
 * kube-apiserver; it is answered with 406.
 * Source: kube-openapi pkg/handler, pkg/handler3.
 */
import { createHash } from "node:crypto";
import { formatGroupVersion } from "../apimachinery/gvk.ts";
import type { HttpAnswer, HttpHeaders, HttpRequest } from "../apimachinery/http.ts";
import { type JsonObject, jsonEncoder } from "../apimachinery/json.ts";
import type { ResourceTable, ServedResource } from "../apimachinery/resource.ts";
import { finishInSlices } from "../apimachinery/steps.ts";
import { buildV2 } from "./v2.ts";
import { buildV3 } from "./v3.ts";

/** Answers OpenAPI requests. */
export interface OpenApi {
  /** Undefined: not a path of OpenAPI's. */
  answer(request: HttpRequest, table: ResourceTable): Promise<HttpAnswer | undefined>;
}

interface Document {
  readonly bytes: Buffer;
  /** SHA-512 of the bytes, upper-case hex. */
  readonly hash: string;
  readonly modified: Date;
}

interface Documents {
  readonly v3: Map<string, Promise<Document>>;
  v2: Promise<Document> | undefined;
}

/** Makes the cache of documents. */
export function createOpenApi(): OpenApi {
  const cache = new WeakMap<ResourceTable, Documents>();

  function documentsOf(table: ResourceTable): Documents {
    let documents = cache.get(table);
    if (documents === undefined) {
      documents = { v3: new Map(), v2: undefined };
      cache.set(table, documents);
    }
    return documents;
  }

  function v3Of(table: ResourceTable, key: string): Promise<Document> | undefined {
    const served = servedAt(table).get(key);
    if (served === undefined) return undefined;
    const { v3 } = documentsOf(table);
    let document = v3.get(key);
    if (document === undefined) {
      document = encode(buildV3(served));
      v3.set(key, document);
    }
    return document;
  }

  return {
    async answer(request, table) {
      const { path } = request;
      if (path === "/openapi/v2") {
        if (!accepts(request)) return notAcceptable();
        const documents = documentsOf(table);
        documents.v2 ??= encode(buildV2([...servedAt(table).values()].flat()));
        return serve(request, await documents.v2, { Vary: ["Accept-Encoding", "Accept"] });
      }
      if (path === "/openapi/v3") {
        const paths: JsonObject = {};
        for (const key of servedAt(table).keys()) {
          const { hash } = await (v3Of(table, key) as Promise<Document>);
          paths[key] = { serverRelativeURL: `/openapi/v3/${key}?hash=${hash}` };
        }
        return serve(request, documentOf(Buffer.from(JSON.stringify({ paths }))), {});
      }
      if (!path.startsWith("/openapi/v3/")) return undefined;
      const key = path.slice("/openapi/v3/".length);
      const document = await v3Of(table, key);
      if (document === undefined) return { status: 404, headers: {}, body: Buffer.alloc(0) };
      if (!accepts(request)) return notAcceptable();
      return serveV3(request, key, document);
    },
  };
}

const servedByTable = new WeakMap<ResourceTable, Map<string, readonly ServedResource[]>>();

/** What is served under each `apis/group/version`, in order of registration. */
function servedAt(table: ResourceTable): Map<string, readonly ServedResource[]> {
  let served = servedByTable.get(table);
  if (served === undefined) {
    served = new Map();
    for (const definition of table.resources) {
      for (const version of definition.versions) {
        if (!version.served) continue;
        const key = `apis/${formatGroupVersion(definition.group, version.name)}`;
        served.set(key, [...(served.get(key) ?? []), { definition, version }]);
      }
    }
    servedByTable.set(table, served);
  }
  return served;
}

async function encode(building: Promise<JsonObject>): Promise<Document> {
  return documentOf(await finishInSlices(jsonEncoder(await building)));
}

function documentOf(bytes: Buffer): Document {
  return { bytes, hash: createHash("sha512").update(bytes).digest("hex").toUpperCase(), modified: new Date() };
}

function serveV3(request: HttpRequest, key: string, document: Document): HttpAnswer {
  const asked = new URLSearchParams(request.query).get("hash") ?? "";
  if (asked !== "" && asked !== document.hash) {
    const location = `/openapi/v3/${key}?hash=${document.hash}`;
    return { status: 301, headers: { Location: location }, body: Buffer.alloc(0) };
  }
  if (asked === "") return serve(request, document, { Vary: "Accept" });
  const expires = new Date(Date.now() + 365 * 24 * 3600 * 1000).toUTCString().replace("GMT", "UTC");
  return serve(request, document, { Vary: "Accept", "Cache-Control": "public, immutable", Expires: expires });
}

function serve(request: HttpRequest, document: Document, headers: HttpHeaders): HttpAnswer {
  const etag = `"${document.hash}"`;
  const all = { ...headers, ETag: etag, "Last-Modified": document.modified.toUTCString() };
  if (request.header("if-none-match") === etag) return { status: 304, headers: all, body: Buffer.alloc(0) };
  return { status: 200, headers: { ...all, "Content-Type": "application/json" }, body: document.bytes };
}

function accepts(request: HttpRequest): boolean {
  const accept = request.header("accept") ?? "";
  if (accept === "") return true;
  return accept.split(",").some((clause) => {
    const type = clause.split(";")[0]?.trim();
    return type === "application/json" || type === "application/*" || type === "*/*";
  });
}

function notAcceptable(): HttpAnswer {
  return { status: 406, headers: {}, body: Buffer.alloc(0) };
}
