/**
 * Compresses large answers for clients that ask, in the thread pool.
 *
 * Source: apiserver pkg/endpoints/handlers/responsewriters/writers.go (defaultGzipThresholdBytes).
 */
import { pipeline } from "node:stream/promises";
import { constants, createGzip } from "node:zlib";
import type { HttpHeaders } from "../apimachinery/http.ts";

/** Smaller answers cost more to compress than to send. */
const minBytes = 128 * 1024;
const level = constants.Z_BEST_SPEED;
/** Bytes that one job of the thread pool packs; a list's many small items are joined to that. */
const jobBytes = 256 * 1024;

/** What to send instead, and the headers that say how it is packed. */
export interface Packed {
  readonly buffers: readonly Uint8Array[];
  readonly headers: HttpHeaders;
}

/** Gives what to send; undefined: the answer as it is. */
export function compressIfAsked(
  buffers: readonly Uint8Array[],
  acceptEncoding: string | undefined,
): Promise<Packed> | undefined {
  if (acceptEncoding === undefined || !acceptEncoding.split(",").some((token) => token.trim() === "gzip")) {
    return undefined;
  }
  const bytes = buffers.reduce((sum, buffer) => sum + buffer.length, 0);
  return bytes <= minBytes ? undefined : compress(buffers);
}

async function compress(buffers: readonly Uint8Array[]): Promise<Packed> {
  const packed: Uint8Array[] = [];
  await pipeline(
    jobsOf(buffers),
    createGzip({ level, chunkSize: jobBytes }),
    async (chunks: AsyncIterable<Uint8Array>) => {
      for await (const chunk of chunks) packed.push(chunk);
    },
  );
  return { buffers: packed, headers: { "Content-Encoding": "gzip", Vary: "Accept-Encoding" } };
}

function* jobsOf(buffers: readonly Uint8Array[]): Generator<Uint8Array> {
  let job: Uint8Array[] = [];
  let bytes = 0;
  for (const buffer of buffers) {
    job.push(buffer);
    bytes += buffer.length;
    if (bytes < jobBytes) continue;
    yield job.length === 1 ? buffer : Buffer.concat(job);
    job = [];
    bytes = 0;
  }
  if (bytes > 0) yield Buffer.concat(job);
}
