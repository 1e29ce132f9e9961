/**
 * The TLS listener: the only room that knows Fastify, and the only one that touches a socket.
 *
 * A request becomes a plain value, its answer is written with back-pressure and never joined in
 * memory. States: listening, draining (every answer says `Connection: close`, streams end, requests
 * in flight finish), closed. HTTP/1.1 by default; HTTP/2 is an option whose limits are set so that
 * one aggregator connection survives bursts of cancelled streams and slow readers.
 * Source: apiserver pkg/server/secure_serving.go; Node's http and http2.
 */
import { X509Certificate } from "node:crypto";
import { type IncomingMessage, METHODS, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from "fastify";
import type { HttpAnswer, HttpRequest } from "../apimachinery/http.ts";
import { createConnections, type TlsServer } from "./connections.ts";
import { createExchange, type ExchangeOptions } from "./exchange.ts";
import type { RawReply, RawRequest } from "./http-request.ts";
import { createNamedCertificates, type NamedCertificate } from "./named-certificates.ts";
import { bindPort, type PortShare } from "./port.ts";
import { createTlsServer, holdContinue, type RawHandler, tlsSettings } from "./tls-server.ts";

export { type CertificateSource, createCertificateSource } from "./certificate-source.ts";
export type { RawReply, RawRequest } from "./http-request.ts";
export type { NamedCertificate } from "./named-certificates.ts";
export { bindPort, type PortShare } from "./port.ts";

/** What to listen with. */
export interface ListenerOptions {
  readonly host: string;
  /** 0 takes a free one. */
  readonly port: number;
  /** Whether other processes listen there as well; the first of them finds out if anybody else does. Default: none do. */
  readonly share?: PortShare | undefined;
  readonly certFile: string;
  readonly keyFile: string;
  /** More certificates, for clients that ask for their names. Default: none. */
  readonly sni?: readonly NamedCertificate[];
  /** PEM bundle of the CAs that are named in the handshake; asked again at each reload. */
  readonly clientCas: () => string;
  /** Whether HTTP/2 is offered beside HTTP/1.1. */
  readonly http2: boolean;
  /** Largest body in bytes. Default 3 MiB, kube-apiserver's. */
  readonly maxBodyBytes?: number;
  /** How long clients may take. Default `defaultTimes`. */
  readonly times?: Partial<ListenerTimes>;
  /** Answers a request. StatusErrors should have become answers; anything else that is thrown is a bug. */
  readonly handle: (request: HttpRequest) => HttpAnswer | Promise<HttpAnswer>;
  readonly log: {
    info(fields: object, message: string): void;
    warn(fields: object, message: string): void;
    error(fields: object, message: string): void;
  };
}

/** How a listener is now. */
export interface ListenerFigures {
  readonly connections: number;
  /** Connections that ended before their TLS handshake, since it listens. */
  readonly failedHandshakes: number;
  /** When the serving certificate, of several the default one, ends to be good. */
  readonly certificateEnd: Date;
}

/** A listener. */
export interface Listener {
  readonly host: string;
  readonly port: number;
  /** Lets requests in flight finish, ends streams, then closes; cuts what is left at the deadline. */
  drain(options: { readonly deadlineMs: number }): Promise<void>;
  /** Looks at once if the serving certificate or the clients' CAs changed. */
  reload(): void;
  figures(): ListenerFigures;
  close(): Promise<void>;
}

/** Times in ms. */
export type ListenerTimes = typeof defaultTimes;

/** Every time limit and its reason. */
export const defaultTimes = {
  /** The head of a request, as at kube-apiserver: slow clients hold connections. */
  headersMs: 32_000,
  /** A request with its body: as long as an ordinary request may take. */
  requestMs: 60_000,
  /** Between two requests of a connection, as Go's client keeps them. */
  idleMs: 90_000,
  /** How often slow clients are looked for; costs next to nothing. */
  checkMs: 2_000,
  /** A client that takes no byte of its answer for this long is gone. */
  stalledMs: 60_000,
  /** A client that sends on after its answer may take this long to notice. */
  lingerMs: 5_000,
  /** A drain closes a connection that was quiet for this long. */
  quietMs: 1_000,
};

const defaultMaxBodyBytes = 3 * 1024 * 1024;
/** Connections that wait to be accepted: as many as Linux lets by default, which is what Go asks for. Node's own is 511. */
const maxBacklog = 4096;
/** No path is longer: the whole head is bounded. */
const maxPathChars = 1024 * 1024;

/**
 * Begins to listen.
 * @throws Error with a sentence for people if the port is taken or a certificate can't be read.
 */
export async function createListener(options: ListenerOptions): Promise<Listener> {
  const { log } = options;
  const times = { ...defaultTimes, ...options.times };
  const certificates = createNamedCertificates(options);
  const exchange = createExchange({ ...exchangeDefaults(options), times });
  const take: RawHandler = (raw, reply) => {
    const arrival = { waitsForContinue: waitingForContinue.has(raw) };
    void exchange.take(raw, reply, arrival, connections.enter(raw));
  };
  const { contextFor } = certificates;
  const { app, server } = createApp({ http2: options.http2, pair: certificates.current(), contextFor, times, take });
  const waitingForContinue = holdContinue(server);
  const connections = createConnections(server, times);
  let failedHandshakes = 0;
  server.on("tlsClientError", () => failedHandshakes++);
  server.on("connect", refuseTunnel);
  server.on("upgrade", (raw: IncomingMessage, socket: Socket, head: Buffer) => {
    // What is refused is answered as any other request, and then the connection ends.
    const reply = new ServerResponse(raw);
    reply.shouldKeepAlive = false;
    reply.assignSocket(socket);
    reply.once("finish", () => socket.end());
    void exchange.take(raw, reply, { upgrade: { socket, head } }, connections.enter(raw));
  });

  await app.ready();
  try {
    await listen(server, options);
  } catch (error) {
    certificates.close();
    exchange.close();
    throw error;
  }
  server.on("error", (error) => log.error({ err: error }, "the listener failed"));
  const bound = server.address();
  if (bound === null || typeof bound === "string") throw new Error("the listener has no port");
  certificates.onChange((pair) => {
    server.setSecureContext(tlsSettings(pair));
  });

  let stopping: Promise<void> | undefined;
  async function stop(deadlineMs: number): Promise<void> {
    certificates.close();
    exchange.drain();
    await connections.drain(deadlineMs);
    exchange.close();
    await app.close();
  }

  return {
    host: options.host,
    port: bound.port,
    reload: () => certificates.check(),
    figures: () => ({
      connections: connections.count(),
      failedHandshakes,
      certificateEnd: new X509Certificate(certificates.current().cert).validToDate,
    }),
    async drain({ deadlineMs }) {
      stopping ??= stop(deadlineMs);
      await stopping;
    },
    async close() {
      stopping ??= stop(0);
      await stopping;
    },
  };
}

/** A handler of requests that come through somebody else's server. */
export interface MountedHandler {
  /** Answers what a Node server took, whose path begins with `prefix`. */
  handle(raw: RawRequest, reply: RawReply, prefix: string): void;
  /** Ends streams: what is still in flight finishes by itself. */
  close(): void;
}

/** Makes a handler for the server of somebody else, who owns its limits, its TLS and its end. */
export function createMountedHandler(
  options: Pick<ListenerOptions, "handle" | "log" | "maxBodyBytes">,
): MountedHandler {
  const exchange = createExchange({ ...exchangeDefaults(options), times: defaultTimes });
  return {
    handle: (raw, reply, prefix) => void exchange.take(raw, reply, { prefix }),
    close() {
      exchange.drain();
      exchange.close();
    },
  };
}

function exchangeDefaults({
  handle,
  log,
  maxBodyBytes = defaultMaxBodyBytes,
}: Pick<ListenerOptions, "handle" | "log" | "maxBodyBytes">): Omit<ExchangeOptions, "times"> {
  return { handle, log, maxBodyBytes };
}

/**
 * Fastify over a server of ours. Whatever the method and path, a request goes to `take` before anything
 * of it is read: what is routed, decoded or refused is not the framework's to say.
 */
function createApp({
  take,
  ...tls
}: Omit<Parameters<typeof createTlsServer>[0], "handler"> & { readonly take: RawHandler }): {
  readonly app: FastifyInstance;
  readonly server: TlsServer;
} {
  const methods = new Set(METHODS);
  const pass = (request: FastifyRequest, reply: FastifyReply): void => {
    reply.hijack();
    take(request.raw as unknown as RawRequest, reply.raw as unknown as RawReply);
  };
  const app = fastify({
    serverFactory: (toFastify) => {
      const handler: RawHandler = (raw, reply) => {
        if (methods.has(raw.method ?? "")) (toFastify as unknown as RawHandler)(raw, reply);
        else take(raw, reply);
      };
      return createTlsServer({ ...tls, handler }) as never;
    },
    clientErrorHandler: (error, socket) => answerClientError(error, socket),
    logger: false,
    exposeHeadRoutes: false,
    // A drain is ours: see connections.ts.
    return503OnClosing: false,
    routerOptions: { maxParamLength: maxPathChars },
    frameworkErrors: (_error, request, reply) => pass(request, reply),
  });
  // A method without a body: one whose body the framework leaves alone.
  for (const method of methods) app.addHttpMethod(method, { hasBody: false, overrideExisting: true });
  app.route({ method: [...methods], url: "*", handler: pass });
  // `OPTIONS *` has no path, and some paths can't be decoded.
  app.setNotFoundHandler(pass);
  return { app, server: app.server as unknown as TlsServer };
}

async function listen(server: TlsServer, options: ListenerOptions): Promise<void> {
  try {
    await bindPort(server, { ...options, backlog: maxBacklog });
  } catch (error) {
    throw listenError(error as NodeJS.ErrnoException, options);
  }
}

/** Answers what is no HTTP, as Go's server does: a line of text, and the end. */
function answerClientError(error: NodeJS.ErrnoException, socket: Socket): void {
  if (!socket.writable || socket.bytesWritten > 0 || error.code === "ECONNRESET") {
    socket.destroy();
    return;
  }
  endWithLine(socket, clientErrorLines.get(error.code ?? "") ?? "400 Bad Request");
}

const clientErrorLines: ReadonlyMap<string, string> = new Map([
  ["HPE_HEADER_OVERFLOW", "431 Request Header Fields Too Large"],
  ["ERR_HTTP_REQUEST_TIMEOUT", "408 Request Timeout"],
]);

/** CONNECT asks for a proxy, which this is not. HTTP/1.1 hands over the socket, HTTP/2 a reply. */
function refuseTunnel(_request: unknown, peer: Socket | RawReply): void {
  if (!("remoteAddress" in peer)) {
    peer.statusCode = 405;
    peer.end();
    return;
  }
  endWithLine(peer, "405 Method Not Allowed");
}

function endWithLine(socket: Socket, line: string): void {
  socket.end(`HTTP/1.1 ${line}\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\n${line}`);
}

function listenError(error: NodeJS.ErrnoException, options: ListenerOptions): Error {
  const place = `${options.host}:${options.port}`;
  if (error.code === "EADDRINUSE") return new Error(`${place} is in use by another process`, { cause: error });
  if (error.code === "EACCES") return new Error(`not allowed to listen on ${place}`, { cause: error });
  if (error.code === "ENOTSUP")
    return new Error(`${place} can't be shared: this system has no way to`, { cause: error });
  return new Error(`cannot listen on ${place}: ${error.message}`, { cause: error });
}
