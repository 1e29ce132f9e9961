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

/** Gives the buffers to send, and the headers that say how they are packed. */
export async function compressIfAsked(
  buffers: readonly Uint8Array[],
  acceptEncoding: string | undefined,
): Promise<{ readonly buffers: readonly Uint8Array[]; readonly headers: HttpHeaders }> {
  const asks = (acceptEncoding ?? "").split(",").some((token) => token.trim() === "gzip");
  const bytes = asks ? buffers.reduce((sum, buffer) => sum + buffer.length, 0) : 0;
  if (!asks || bytes <= minBytes) return { buffers, headers: {} };
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
