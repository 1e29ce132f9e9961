/**
 * Node's request as a plain value: headers by name, the body read when it is asked for, the client's
 * certificate chain read once for each connection.
 */
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Http2ServerRequest, Http2ServerResponse } from "node:http2";
import type { DetailedPeerCertificate, TLSSocket } from "node:tls";
import { type HasSignal, type HttpRequest, withSignalOf } from "../apimachinery/http.ts";
import { badRequest, requestEntityTooLarge } from "../apimachinery/status.ts";
import type { PeerCertificate } from "../apimachinery/user.ts";
import { peerOf } from "./connections.ts";

/** A request of either protocol. */
export type RawRequest = IncomingMessage | Http2ServerRequest;
/** A reply of either protocol. */
export type RawReply = ServerResponse | Http2ServerResponse;

/** What a request is wrapped with. */
export interface RequestOptions {
  readonly maxBodyBytes: number;
  /** Whether the client waits for `100 Continue` before it sends the body. */
  readonly waitsForContinue: boolean;
  readonly chainOf: (raw: RawRequest) => PeerCertificate | undefined;
  readonly webSocket?: readonly string[] | undefined;
}

/** Certificates of a chain that are looked at: deeper ones no CA issues. */
const maxChain = 10;

/** Wraps a request. */
export function requestFrom(raw: RawRequest, reply: RawReply, options: RequestOptions): HttpRequest {
  const uri = withoutOrigin(raw.url ?? "/");
  const question = uri.indexOf("?");
  const rawHeaders: (readonly [string, string])[] = [];
  for (let index = 0; index + 1 < raw.rawHeaders.length; index += 2) {
    rawHeaders.push([(raw.rawHeaders[index] as string).toLowerCase(), raw.rawHeaders[index + 1] as string]);
  }
  let whole: Promise<Buffer> | undefined;
  const request = {
    method: raw.method ?? "GET",
    uri,
    path: question < 0 ? uri : uri.slice(0, question),
    query: question < 0 ? "" : uri.slice(question + 1),
    httpVersion: raw.httpVersion === "2.0" ? ("2.0" as const) : ("1.1" as const),
    header(name: string) {
      for (const [key, value] of rawHeaders) if (key === name) return value;
      return undefined;
    },
    headers: (name: string) => rawHeaders.filter(([key]) => key === name).map(([, value]) => value),
    rawHeaders,
    remoteAddress: raw.socket.remoteAddress ?? "",
    peerCertificate: () => options.chainOf(raw),
    webSocket: options.webSocket,
    body() {
      if (whole === undefined) {
        if (options.waitsForContinue && !reply.headersSent) reply.writeContinue();
        whole = readBody(raw, options.maxBodyBytes);
      }
      return whole;
    },
  };
  return withSignalOf(request, new Client(raw, reply));
}

/** Whoever waits for an answer. */
class Client implements HasSignal {
  readonly #raw: RawRequest;
  readonly #reply: RawReply;
  #gone: AbortController | undefined;

  constructor(raw: RawRequest, reply: RawReply) {
    this.#raw = raw;
    this.#reply = reply;
  }

  get signal(): AbortSignal {
    this.#gone ??= abortedWithClient(this.#raw, this.#reply);
    return this.#gone.signal;
  }
}

/** A request to a proxy names the origin as well; its path is meant. */
function withoutOrigin(uri: string): string {
  if (!/^https?:\/\//i.test(uri)) return uri;
  const rest = uri.slice(uri.indexOf("//") + 2);
  const start = rest.search(/[/?]/);
  if (start < 0) return "/";
  return rest[start] === "?" ? `/${rest.slice(start)}` : rest.slice(start);
}

function abortedWithClient(raw: RawRequest, reply: RawReply): AbortController {
  const controller = new AbortController();
  if (isCut(reply) || (raw.destroyed && !raw.complete)) controller.abort();
  // The answer written whole is no abort. A reset HTTP/2 stream looks finished.
  reply.once("close", () => {
    if (!reply.writableFinished || ("stream" in reply && reply.stream?.aborted)) controller.abort();
  });
  return controller;
}

/** Tells if nothing can be written any more: HTTP/2's replies say it by their stream alone. */
export function isCut(reply: RawReply): boolean {
  return "stream" in reply ? reply.stream === undefined || reply.stream.destroyed : reply.destroyed;
}

async function readBody(raw: RawRequest, maxBytes: number): Promise<Buffer> {
  const tooLarge = () => requestEntityTooLarge(`limit is ${maxBytes}`);
  if (Number(raw.headers["content-length"] ?? "0") > maxBytes) throw tooLarge();
  if (raw.destroyed && !raw.readableEnded) throw badRequest("unable to read the request body: unexpected EOF");
  const chunks: Buffer[] = [];
  let bytes = 0;
  return await new Promise<Buffer>((resolve, reject) => {
    const take = (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes <= maxBytes) {
        chunks.push(chunk);
        return;
      }
      raw.off("data", take);
      chunks.length = 0;
      reject(tooLarge());
    };
    raw.on("data", take);
    const end = () => {
      // It closes after that too; an error for nobody would cost each write its stack.
      raw.off("close", cut);
      resolve(chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks));
    };
    const cut = () => reject(badRequest("unable to read the request body: unexpected EOF"));
    raw.once("end", end);
    raw.once("close", cut);
    raw.once("error", (error) => reject(badRequest(`unable to read the request body: ${error.message}`)));
  });
}

/** Reads clients' certificate chains, once for each connection. */
export function createChainReader(): (raw: RawRequest) => PeerCertificate | undefined {
  const chains = new WeakMap<object, { readonly chain: PeerCertificate | undefined }>();
  return (raw) => {
    const peer = peerOf(raw);
    let known = chains.get(peer);
    if (known === undefined) {
      const socket = "socket" in peer ? peer.socket : peer;
      known = { chain: readChain(socket as TLSSocket) };
      chains.set(peer, known);
    }
    return known.chain;
  };
}

function readChain(socket: TLSSocket): PeerCertificate | undefined {
  // A server without TLS, in which somebody mounted us, knows no certificates.
  const leaf = socket.getPeerCertificate?.(true) as DetailedPeerCertificate | null | undefined;
  const raws: Buffer[] = [];
  for (let at = leaf; at?.raw !== undefined && raws.length < maxChain; at = at.issuerCertificate) {
    if (raws.some((known) => known.equals(at.raw))) break;
    raws.push(at.raw);
  }
  return raws.reduceRight<PeerCertificate | undefined>((issuer, raw) => ({ raw, issuer }), undefined);
}
