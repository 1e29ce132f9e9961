/**
 * Node's request as a plain value: headers by name, the body read when it is asked for, the client's
 * certificate chain read once for each connection.
 */
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Http2ServerRequest, Http2ServerResponse } from "node:http2";
import type { DetailedPeerCertificate, TLSSocket } from "node:tls";
import type { HttpRequest } from "../apimachinery/http.ts";
import { badRequest, requestEntityTooLarge, type StatusError } from "../apimachinery/status.ts";
import type { PeerCertificate } from "../apimachinery/user.ts";

/** A request of either protocol. */
export type RawRequest = IncomingMessage | Http2ServerRequest;
/** A reply of either protocol. */
export type RawReply = ServerResponse | Http2ServerResponse;

/** Certificates of a chain that are looked at: deeper ones no CA issues. */
const maxChain = 10;
const chains = new WeakMap<object, { readonly chain: PeerCertificate | undefined }>();

/** Wraps a request. `maxBodyBytes` bounds its body. */
export function requestFrom(raw: RawRequest, reply: RawReply, maxBodyBytes: number): HttpRequest {
  const uri = raw.url ?? "/";
  const question = uri.indexOf("?");
  const rawHeaders: (readonly [string, string])[] = [];
  for (let index = 0; index + 1 < raw.rawHeaders.length; index += 2) {
    rawHeaders.push([(raw.rawHeaders[index] as string).toLowerCase(), raw.rawHeaders[index + 1] as string]);
  }
  let whole: Promise<Buffer> | undefined;
  let gone: AbortController | undefined;
  return {
    method: raw.method ?? "GET",
    uri,
    path: question < 0 ? uri : uri.slice(0, question),
    query: question < 0 ? "" : uri.slice(question + 1),
    httpVersion: raw.httpVersion === "2.0" ? "2.0" : "1.1",
    header(name) {
      for (const [key, value] of rawHeaders) if (key === name) return value;
      return undefined;
    },
    headers: (name) => rawHeaders.filter(([key]) => key === name).map(([, value]) => value),
    rawHeaders,
    remoteAddress: raw.socket.remoteAddress ?? "",
    peerCertificate: () => chainOf(raw),
    get signal() {
      if (gone === undefined) {
        const controller = new AbortController();
        gone = controller;
        if (reply.destroyed || (raw.destroyed && !raw.complete)) controller.abort();
        // The answer written whole is no abort.
        reply.once("close", () => {
          if (!reply.writableFinished) controller.abort();
        });
      }
      return gone.signal;
    },
    body() {
      whole ??= readBody(raw, reply, maxBodyBytes);
      return whole;
    },
  };
}

async function readBody(raw: RawRequest, reply: RawReply, maxBytes: number): Promise<Buffer> {
  const declared = Number(raw.headers["content-length"] ?? "0");
  if (declared > maxBytes) throw tooLarge(raw, reply, maxBytes);
  const chunks: Buffer[] = [];
  let bytes = 0;
  return await new Promise<Buffer>((resolve, reject) => {
    raw.on("data", (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes > maxBytes) {
        raw.removeAllListeners("data");
        reject(tooLarge(raw, reply, maxBytes));
        return;
      }
      chunks.push(chunk);
    });
    raw.once("end", () => resolve(chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks)));
    raw.once("error", (error) => reject(badRequest(`unable to read the request body: ${error.message}`)));
    raw.once("close", () => reject(badRequest("unable to read the request body: unexpected EOF")));
  });
}

/** What is left of the body is read and dropped, so that the client gets to read the answer; then the connection ends. */
function tooLarge(raw: RawRequest, reply: RawReply, maxBytes: number): StatusError {
  raw.resume();
  if (raw.httpVersion !== "2.0") (reply as ServerResponse).shouldKeepAlive = false;
  return requestEntityTooLarge(`limit is ${maxBytes}`);
}

function chainOf(raw: RawRequest): PeerCertificate | undefined {
  const socket = ("stream" in raw ? raw.stream.session?.socket : undefined) ?? raw.socket;
  let known = chains.get(socket);
  if (known === undefined) {
    known = { chain: readChain(socket as TLSSocket) };
    chains.set(socket, known);
  }
  return known.chain;
}

function readChain(socket: TLSSocket): PeerCertificate | undefined {
  const leaf = socket.getPeerCertificate(true) as DetailedPeerCertificate | null;
  const raws: Buffer[] = [];
  for (let at = leaf; at?.raw !== undefined && raws.length < maxChain; at = at.issuerCertificate) {
    if (raws.some((known) => known.equals(at.raw))) break;
    raws.push(at.raw);
  }
  return raws.reduceRight<PeerCertificate | undefined>((issuer, raw) => ({ raw, issuer }), undefined);
}
