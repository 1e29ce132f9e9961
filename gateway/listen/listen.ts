/**
 * The TLS listener: the only room that knows Fastify, and the only one that touches a socket.
 *
 * A request becomes a plain value, its answer is written with back-pressure and never joined in
 * memory. States: listening, draining (every answer says `Connection: close`, streams end, requests
 * in flight finish), closed. HTTP/1.1 by default; HTTP/2 is an option whose limits are set so that
 * one aggregator connection survives bursts of cancelled streams and slow readers.
 * Source: apiserver pkg/server/secure_serving.go; Node's http and http2.
 */
import type { Http2SecureServer, ServerHttp2Session } from "node:http2";
import type { Server } from "node:https";
import type { Socket } from "node:net";
import fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from "fastify";
import type { HttpAnswer, HttpRequest } from "../apimachinery/http.ts";
import { encodeJsonBytes } from "../apimachinery/json.ts";
import { StatusError, statusToJson } from "../apimachinery/status.ts";
import { createCertificateSource } from "./certificate-source.ts";
import { createAnswerWriter } from "./http-answer.ts";
import { type RawReply, type RawRequest, requestFrom } from "./http-request.ts";

/** What to listen with. */
export interface ListenerOptions {
  readonly host: string;
  /** 0 takes a free one. */
  readonly port: number;
  readonly certFile: string;
  readonly keyFile: string;
  /** PEM bundle of the CAs that are named in the handshake; asked again at each reload. */
  readonly clientCas: () => string;
  /** Whether HTTP/2 is offered beside HTTP/1.1. */
  readonly http2: boolean;
  /** Largest body in bytes. Default 3 MiB, kube-apiserver's. */
  readonly maxBodyBytes?: number;
  /** Answers a request. StatusErrors should have become answers; anything else that is thrown is a bug. */
  readonly handle: (request: HttpRequest) => HttpAnswer | Promise<HttpAnswer>;
  readonly log: {
    info(fields: object, message: string): void;
    warn(fields: object, message: string): void;
    error(fields: object, message: string): void;
  };
}

/** A listener. */
export interface Listener {
  readonly host: string;
  readonly port: number;
  /** Lets requests in flight finish, ends streams, then closes; cuts what is left at the deadline. */
  drain(options: { readonly deadlineMs: number }): Promise<void>;
  close(): Promise<void>;
}

const defaultMaxBodyBytes = 3 * 1024 * 1024;
/** Slow clients: the head must come in 32 s as at kube-apiserver, a body in the request's own limit of 60 s. */
const headersTimeoutMs = 32_000;
const requestTimeoutMs = 60_000;
/** An idle connection is kept for 90 s, as Go's server does; probes of the kernel find dead peers. */
const idleTimeoutMs = 90_000;
const tcpKeepAliveMs = 180_000;
/** All headers of one request together: Go's default. */
const maxHeaderBytes = 1024 * 1024;
/** HTTP/2: one kube-apiserver sends everything over one connection, so its limits must hold a burst. */
const http2Limits = {
  maxSessionMemory: 4096,
  streamResetBurst: 100_000,
  streamResetRate: 10_000,
  settings: { maxConcurrentStreams: 1000, initialWindowSize: 256 * 1024 },
};

/**
 * Begins to listen.
 * @throws Error with a sentence for people if the port is taken or a certificate can't be read.
 */
export async function createListener(options: ListenerOptions): Promise<Listener> {
  const { log } = options;
  const maxBodyBytes = options.maxBodyBytes ?? defaultMaxBodyBytes;
  const certificates = createCertificateSource(options);
  const tls = {
    ...certificates.current(),
    requestCert: true,
    rejectUnauthorized: false,
    minVersion: "TLSv1.2" as const,
  };
  const connection = { isDraining: false };
  const writer = createAnswerWriter({ isDraining: () => connection.isDraining, log });
  const app = (options.http2
    ? fastify({
        http2: true,
        https: { ...tls, allowHTTP1: true, ...http2Limits },
        http2SessionTimeout: idleTimeoutMs,
        ...fastifyOptions,
      })
    : fastify({ https: { ...tls, maxHeaderSize: maxHeaderBytes }, ...fastifyOptions })) as unknown as FastifyInstance;
  const server = app.server as unknown as Server | Http2SecureServer;
  const sockets = new Set<Socket>();
  const sessions = new Set<ServerHttp2Session>();
  if ("headersTimeout" in server) {
    server.headersTimeout = headersTimeoutMs;
    server.requestTimeout = requestTimeoutMs;
    server.keepAliveTimeout = idleTimeoutMs;
  }
  server.on("secureConnection", (socket: Socket) => {
    socket.setKeepAlive(true, tcpKeepAliveMs);
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
  });
  server.on("session", (session: ServerHttp2Session) => {
    sessions.add(session);
    session.once("close", () => sessions.delete(session));
    session.on("error", () => session.destroy());
  });

  // Everything goes to one place, whatever the method: what is routed is not Fastify's to say.
  app.removeAllContentTypeParsers();
  app.addContentTypeParser("*", (_request, _payload, done) => done(null, undefined));
  app.setNotFoundHandler((request: FastifyRequest, reply: FastifyReply) => {
    reply.hijack();
    void serve(request.raw as unknown as RawRequest, reply.raw as unknown as RawReply);
  });
  app.setErrorHandler((error, request, reply) => {
    log.warn({ err: error, url: request.url }, "the framework refused a request");
    return reply.code(400).type("text/plain").send("400 Bad Request");
  });

  async function serve(raw: RawRequest, reply: RawReply): Promise<void> {
    const request = requestFrom(raw, reply, maxBodyBytes);
    let answer: HttpAnswer;
    try {
      answer = await options.handle(request);
    } catch (error) {
      answer = error instanceof StatusError ? statusAnswer(error) : panicAnswer();
      if (!(error instanceof StatusError))
        log.error({ err: error, method: request.method, uri: request.path }, "a request panicked");
    }
    writer.write(raw, reply, answer);
  }

  await app.ready();
  await new Promise<void>((resolve, reject) => {
    server.once("error", (error: NodeJS.ErrnoException) => reject(listenError(error, options)));
    server.listen(options.port, options.host, () => resolve());
  });
  const bound = server.address();
  if (bound === null || typeof bound === "string") throw new Error("the listener has no port");
  certificates.onChange((pair) => {
    server.setSecureContext({ ...pair, minVersion: "TLSv1.2" });
    log.info({ certFile: options.certFile }, "serving certificate reloaded");
  });

  async function stop(deadlineMs: number): Promise<void> {
    connection.isDraining = true;
    certificates.close();
    const closed = new Promise<void>((resolve) => server.close(() => resolve()));
    writer.endStreams();
    if ("closeIdleConnections" in server) server.closeIdleConnections();
    const until = performance.now() + deadlineMs;
    while (performance.now() < until && sockets.size > 0) {
      if (writer.inFlight() === 0) {
        if ("closeIdleConnections" in server) server.closeIdleConnections();
        for (const session of sessions) session.close();
      }
      await new Promise<void>((resolve) => setTimeout(resolve, 20));
    }
    for (const session of sessions) session.destroy();
    for (const socket of sockets) socket.destroy();
    await closed;
    await app.close();
  }

  return {
    host: options.host,
    port: bound.port,
    drain: ({ deadlineMs }) => stop(deadlineMs),
    close: () => stop(0),
  };
}

const fastifyOptions = {
  logger: false,
  exposeHeadRoutes: false,
  forceCloseConnections: false,
  // The path is ours to read: nothing is to be decoded, trimmed or refused on the way.
  routerOptions: { ignoreTrailingSlash: false },
  return503OnClosing: false,
} as const;

function statusAnswer(error: StatusError): HttpAnswer {
  return {
    status: error.status.code,
    headers: { "Content-Type": "application/json" },
    body: encodeJsonBytes(statusToJson(error.status)),
  };
}

function panicAnswer(): HttpAnswer {
  return {
    status: 500,
    headers: { "Content-Type": "text/plain; charset=utf-8", "X-Content-Type-Options": "nosniff" },
    body: Buffer.from("This request caused apiserver to panic. Look in the logs for details.\n"),
  };
}

function listenError(error: NodeJS.ErrnoException, options: ListenerOptions): Error {
  const place = `${options.host}:${options.port}`;
  if (error.code === "EADDRINUSE") return new Error(`${place} is in use by another process`, { cause: error });
  if (error.code === "EACCES") return new Error(`not allowed to listen on ${place}`, { cause: error });
  return new Error(`cannot listen on ${place}: ${error.message}`, { cause: error });
}
