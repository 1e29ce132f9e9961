/**
 * Node's TLS servers with the limits that a port open to anybody needs.
 *
 * Client certificates are asked for and never required: who shows none may have a token.
 * Source: apiserver pkg/server/secure_serving.go; Node's http and http2.
 */
import { constants } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";
import { createSecureServer } from "node:http2";
import { createServer } from "node:https";
import type { SecureContext, SecureContextOptions } from "node:tls";
import type { ServingPair } from "./certificate-source.ts";
import type { TlsServer } from "./connections.ts";
import type { RawReply, RawRequest } from "./http-request.ts";
import { asksForWebSocket } from "./websocket.ts";

/** Takes a request off a server of either protocol. */
export type RawHandler = (request: RawRequest, reply: RawReply) => void;

/** What a server is made with. */
export interface TlsServerOptions {
  readonly http2: boolean;
  readonly pair: ServingPair;
  /** Gives what a client that asks for this name gets instead of `pair`, if anything. */
  readonly contextFor: (name: string) => SecureContext | undefined;
  readonly times: ServerTimes;
  readonly handler: RawHandler;
}

/** How long clients may take, in ms. */
export interface ServerTimes {
  /** The head of a request. */
  readonly headersMs: number;
  /** A request with its body. */
  readonly requestMs: number;
  /** Between two requests. */
  readonly idleMs: number;
  /** How often a server looks for clients that took longer. */
  readonly checkMs: number;
}

/** All headers of one request together: Go's default. */
const maxHeaderBytes = 1024 * 1024;
/** Headers of one request: HTTP/1.1's default in Node. Impersonation sends one for each group. */
const maxHeaderPairs = 2000;
/** HTTP/2: one kube-apiserver sends everything over one connection, so its limits must hold a burst. */
const http2Limits = {
  // In MB. What bounds memory is each stream's own queue.
  maxSessionMemory: 4096,
  // Thousands of watches may be cancelled at once.
  streamResetBurst: 100_000,
  streamResetRate: 10_000,
  // A stream over the limit is refused; without this the hundredth ends the session of all others.
  maxSessionRejectedStreams: 1_000_000,
  maxHeaderListPairs: maxHeaderPairs,
  settings: {
    // Node counts a cancelled stream until it is freed, some turns later: room for 5,000 watches twice.
    maxConcurrentStreams: 10_000,
    maxHeaderListSize: maxHeaderBytes,
    // A 3 MiB body shouldn't wait for a round trip each 64 KiB.
    initialWindowSize: 256 * 1024,
  },
};

/**
 * A list of revocations by an issuer that nobody has. With it OpenSSL can't come to trust a client's
 * certificate, which is authn's to judge anyway: Node 24 loses the chain behind one that OpenSSL trusts
 * (nodejs/node issue 65579).
 */
const nobodysRevocations = `-----BEGIN X509 CRL-----
MIG9MGUCAQEwCgYIKoZIzj0EAwIwJjEkMCIGA1UEAwwbYW5uZXg6IG5vYm9keSdz
IHJldm9jYXRpb25zFw0yNjExMjQxMjA5MTRaFw0yNjExMjUxMjA5MTRaoA4wDDAK
BgNVHRQEAwIBAjAKBggqhkjOPQQDAgNIADBFAiEA7ap+vc2fqDr/JisKLb9825SN
PpbhSXXbeH6IhcN59zsCIGG5P24FXLoLE1wxxJTAvXBSR6gX8pAzFDuZSgw3wDYw
-----END X509 CRL-----
`;

/** The TLS settings that a change of the certificate sets again. */
export function tlsSettings(pair: ServingPair): SecureContextOptions {
  return {
    ...pair,
    minVersion: "TLSv1.2",
    crl: nobodysRevocations,
    // A resumed session knows the client's own certificate but not the chain behind it.
    secureOptions: constants.SSL_OP_NO_TICKET,
  };
}

/** Makes a server; it doesn't listen yet. */
export function createTlsServer({ http2, pair, contextFor, times, handler }: TlsServerOptions): TlsServer {
  const tls = {
    ...tlsSettings(pair),
    requestCert: true,
    rejectUnauthorized: false,
    SNICallback: (name: string, give: (error: null, context?: SecureContext) => void) => give(null, contextFor(name)),
  };
  const http1Limits = {
    maxHeaderSize: maxHeaderBytes,
    headersTimeout: times.headersMs,
    requestTimeout: times.requestMs,
    keepAliveTimeout: times.idleMs,
    connectionsCheckingInterval: times.checkMs,
    shouldUpgradeCallback: asksForWebSocket,
  };
  const take = (request: unknown, reply: unknown): void => {
    keepWhatFollows(request as RawRequest);
    handler(request as RawRequest, reply as RawReply);
  };
  if (!http2) return createServer({ ...tls, ...http1Limits }, take);
  const server = createSecureServer({ ...tls, allowHTTP1: true, ...http2Limits, ...http1Limits }, take);
  // Clients that speak HTTP/1.1 all the same; the constructor overwrites what it was given.
  Object.assign(server, { headersTimeout: times.headersMs, requestTimeout: times.requestMs });
  return server;
}

/**
 * Lets the body of an HTTP/1.1 request wait in its socket while the answer before it drains.
 *
 * Node then pauses socket and parser, but what TLS has deciphered already still goes to the paused parser,
 * which fails with HPE_PAUSED. With somebody listening for data, it goes through the socket's own buffer.
 * Which then has to be told that nothing is being read: the parser, which read for it, doesn't start again
 * what it has stopped, and the connection would be deaf from the next answer on.
 */
function keepWhatFollows(request: RawRequest): void {
  const { socket } = request;
  if ("stream" in request || !socket.writableNeedDrain) return;
  socket.on("data", ignore).off("data", ignore);
  socket.push("");
}

function ignore(): void {}

/** Asks the client for the body that it keeps back: only once somebody reads it. */
export function holdContinue(server: TlsServer): WeakSet<object> {
  const waiting = new WeakSet<object>();
  server.on("checkContinue", (request: IncomingMessage, reply: ServerResponse) => {
    waiting.add(request);
    server.emit("request", request, reply);
  });
  return waiting;
}
