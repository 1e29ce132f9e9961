/**
 * Compresses large answers for clients that ask, in the thread pool.
 *
 * Source: apiserver pkg/endpoints/handlers/responsewriters/writers.go (defaultGzipThresholdBytes).
 */
import { promisify } from "node:util";
import { constants, createGzip, gzip } from "node:zlib";
import type { HttpHeaders } from "../apimachinery/http.ts";

/** Smaller answers cost more to compress than to send. */
const minBytes = 128 * 1024;
const level = constants.Z_BEST_SPEED;
const gzipOnce = promisify(gzip);

/** Gives the buffers to send, and the headers that say how they are packed. */
export async function compressIfAsked(
  buffers: readonly Uint8Array[],
  acceptEncoding: string | undefined,
): Promise<{ readonly buffers: readonly Uint8Array[]; readonly headers: HttpHeaders }> {
  const asks = (acceptEncoding ?? "").split(",").some((token) => token.trim() === "gzip");
  const bytes = asks ? buffers.reduce((sum, buffer) => sum + buffer.length, 0) : 0;
  if (!asks || bytes <= minBytes) return { buffers, headers: {} };
  const headers = { "Content-Encoding": "gzip", Vary: "Accept-Encoding" };
  if (buffers.length === 1) return { buffers: [await gzipOnce(buffers[0] as Uint8Array, { level })], headers };
  return { buffers: await gzipAll(buffers), headers };
}

async function gzipAll(buffers: readonly Uint8Array[]): Promise<readonly Uint8Array[]> {
  const packed: Buffer[] = [];
  const stream = createGzip({ level });
  stream.on("data", (chunk: Buffer) => packed.push(chunk));
  const done = new Promise<void>((resolve, reject) => {
    stream.once("end", resolve);
    stream.once("error", reject);
  });
  for (const buffer of buffers) {
    if (!stream.write(buffer)) await new Promise<void>((resolve) => stream.once("drain", resolve));
  }
  stream.end();
  await done;
  return packed;
}
