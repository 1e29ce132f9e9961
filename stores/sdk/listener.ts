/**
 * One port for HTTP/2 and HTTP/1.1: gRPC needs the first, Connect and curl are at home on both.
 *
 * Over TLS the client says which by ALPN. Without it the first bytes say: HTTP/2 begins with a
 * preface that no HTTP/1.1 request can begin with.
 * Source: RFC 9113, section 3.4.
 */
import { readFileSync } from "node:fs";
import { createServer as createHttp1 } from "node:http";
import { createServer as createHttp2, createSecureServer, type ServerHttp2Session } from "node:http2";
import { createServer as createTcp, type Server, type Socket } from "node:net";
import type { connectNodeAdapter } from "@connectrpc/connect-node";

type Handler = ReturnType<typeof connectNodeAdapter>;

/** Mutual TLS, PEM files. */
export interface TlsFiles {
  readonly caFile: string;
  readonly certFile: string;
  readonly keyFile: string;
}

/** A listener. */
export interface Listener {
  readonly server: Server;
  /** Takes no more calls, waits for those in flight, cuts what is left after `drainMs`. */
  drain(drainMs: number): Promise<void>;
}

/**
 * A gateway holds few connections with many streams: the bounds of node:http2 are for strangers and
 * would end the one connection when it cancels many calls, or reads several lists slowly.
 */
const http2Options = {
  maxSessionMemory: 1_024,
  streamResetBurst: 100_000,
  streamResetRate: 10_000,
  settings: { initialWindowSize: 1024 * 1024 },
};
/** A client that opens a connection and sends nothing is not waited for. */
const firstByteMs = 10_000;
const preface = Buffer.from("PRI * HTTP/2.0");

/** Makes a listener, not yet listening. @throws Error if a TLS file can't be read. */
export function createListener(handler: Handler, tls: TlsFiles | undefined): Listener {
  const http1 = createHttp1(handler);
  const http2 = createHttp2(http2Options, handler);
  const sessions = new Set<ServerHttp2Session>();
  const onSession = (session: ServerHttp2Session) => {
    sessions.add(session);
    session.once("close", () => sessions.delete(session));
    session.on("error", () => session.destroy());
  };
  http2.on("session", onSession);
  let server: Server;
  if (tls === undefined) {
    server = createTcp((socket) => {
      sniff(socket, (isHttp2) => (isHttp2 ? http2 : http1).emit("connection", socket));
    });
  } else {
    const secure = createSecureServer(
      {
        ...http2Options,
        allowHTTP1: true,
        ca: readFileSync(tls.caFile),
        cert: readFileSync(tls.certFile),
        key: readFileSync(tls.keyFile),
        requestCert: true,
        rejectUnauthorized: true,
        minVersion: "TLSv1.2",
      },
      handler,
    );
    secure.on("session", onSession);
    server = secure;
  }
  const sockets = new Set<Socket>();
  server.on(tls === undefined ? "connection" : "secureConnection", (socket: Socket) => {
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
    socket.on("error", () => socket.destroy());
  });
  return {
    server,
    async drain(drainMs) {
      await new Promise<void>((resolve) => {
        const cut = setTimeout(() => {
          for (const socket of sockets) socket.destroy();
        }, drainMs);
        const idle = setInterval(() => http1.closeIdleConnections(), 50);
        server.close(() => {
          clearTimeout(cut);
          clearInterval(idle);
          resolve();
        });
        http1.closeIdleConnections();
        for (const session of sessions) session.close();
      });
    },
  };
}

function sniff(socket: Socket, take: (isHttp2: boolean) => void): void {
  socket.setTimeout(firstByteMs, () => socket.destroy());
  socket.once("readable", () => {
    socket.setTimeout(0);
    socket.removeAllListeners("timeout");
    const first = socket.read() as Buffer | null;
    if (first === null) {
      socket.destroy();
      return;
    }
    socket.unshift(first);
    const length = Math.min(first.length, preface.length);
    take(first.compare(preface, 0, length, 0, length) === 0);
  });
}
