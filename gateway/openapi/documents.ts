/**
 * The documents of one table of resources, each made once and kept.
 *
 * Building, encoding, hashing and packing hold the event loop a few milliseconds at a time at most:
 * the first two go in slices, the others in the thread pool.
 */
import { webcrypto } from "node:crypto";
import { promisify } from "node:util";
import { constants, gzip } from "node:zlib";
import { formatGroupVersion } from "../apimachinery/gvk.ts";
import { type JsonObject, jsonEncoder, jsonParser } from "../apimachinery/json.ts";
import type { ResourceTable, ServedResource } from "../apimachinery/resource.ts";
import { finishInSlices } from "../apimachinery/steps.ts";
import { type NameReplacements, renamed } from "./rename.ts";
import { buildV2 } from "./v2.ts";
import { encodeV2Protobuf } from "./v2-protobuf.ts";
import { buildV3 } from "./v3.ts";

/** One encoded document. */
export interface Document {
  readonly bytes: Buffer;
  /** SHA-512 of the bytes, upper-case hex. */
  readonly hash: string;
  readonly modified: Date;
  /** The bytes packed; undefined if they are too small for that. */
  gzip(): Promise<Buffer | undefined>;
}

/** The documents of one table. */
export interface Documents {
  v2(): Promise<Document>;
  /** The same under the same hash. */
  v2Protobuf(): Promise<Document>;
  /** The index of v3. */
  index(): Promise<Document>;
  /** One document of v3; undefined if the key, `apis/<group>/<version>`, is not served. */
  v3(key: string): Promise<Document | undefined>;
}

/** Where v3's documents are found. */
const v3Path = "/openapi/v3";
/** Smaller documents cost more to pack than to send. */
const packedFromBytes = 128 * 1024;
const pack = promisify(gzip);

/** Makes the documents of a table; nothing is built until it is asked for. */
export function createDocuments(
  table: ResourceTable,
  { clock, names }: { readonly clock: () => Date; readonly names: NameReplacements },
): Documents {
  const served = servedAt(table);
  const kept = new Map<string, Promise<Document>>();
  let protobuf: Promise<Document> | undefined;

  function once(key: string, build: () => Promise<JsonObject>): Promise<Document> {
    let document = kept.get(key);
    if (document === undefined) {
      document = build().then((value) => encode(value, clock()));
      kept.set(key, document);
    }
    return document;
  }

  function v2(): Promise<Document> {
    return once("v2", async () => renamed(await buildV2([...served.values()].flat()), names));
  }

  async function v3(key: string): Promise<Document | undefined> {
    const resources = served.get(key);
    return resources === undefined ? undefined : await once(key, async () => renamed(await buildV3(resources), names));
  }

  async function buildIndex(): Promise<JsonObject> {
    const paths: JsonObject = {};
    for (const key of served.keys()) {
      const document = await v3(key);
      if (document !== undefined) paths[key] = { serverRelativeURL: `${v3Path}/${key}?hash=${document.hash}` };
    }
    return { paths };
  }

  return {
    v2,
    v2Protobuf: () => {
      const build = async () => {
        const document = await v2();
        const { value } = await finishInSlices(jsonParser(document.bytes));
        return documentOf(await encodeV2Protobuf(value as JsonObject), document.hash, document.modified);
      };
      protobuf ??= build();
      return protobuf;
    },
    index: () => once("v3", buildIndex),
    v3,
  };
}

/** What is served under each `apis/group/version`, in order of registration. */
function servedAt(table: ResourceTable): ReadonlyMap<string, readonly ServedResource[]> {
  const served = new Map<string, ServedResource[]>();
  for (const definition of table.resources) {
    for (const version of definition.versions) {
      if (!version.served) continue;
      const key = `apis/${formatGroupVersion(definition.group, version.name)}`;
      const there = served.get(key);
      if (there === undefined) served.set(key, [{ definition, version }]);
      else there.push({ definition, version });
    }
  }
  return served;
}

async function encode(value: JsonObject, modified: Date): Promise<Document> {
  const bytes = await finishInSlices(jsonEncoder(value));
  const digest = await webcrypto.subtle.digest("SHA-512", new Uint8Array(bytes));
  return documentOf(bytes, Buffer.from(digest).toString("hex").toUpperCase(), modified);
}

function documentOf(bytes: Buffer, hash: string, modified: Date): Document {
  let packed: Promise<Buffer> | undefined;
  return {
    bytes,
    hash,
    modified,
    async gzip() {
      if (bytes.length <= packedFromBytes) return undefined;
      packed ??= pack(bytes, { level: constants.Z_BEST_SPEED });
      return await packed;
    },
  };
}
