/**
 * The connections of a listener: what each has under way, and how all of them end.
 *
 * A connection is shaking hands, busy (requests whose answers aren't out) or idle. A drain takes in what
 * waits to be accepted, closes the listening socket (the kernel resets what comes in between: that is
 * microseconds) and ends idle connections only after a moment of quiet: a client that picked one just
 * before has its request answered, with `Connection: close`. HTTP/2 has no such header, and its
 * GOAWAY makes Node drop the requests that cross it, so a session gets none until it was quiet for that
 * moment too. Whatever is left at the deadline is cut.
 * Source: net/http Server.Shutdown; Node's http2.
 */
import type { Http2SecureServer, ServerHttp2Session } from "node:http2";
import type { Server } from "node:https";
import { Server as NetServer, type Socket } from "node:net";
import { setImmediate } from "node:timers/promises";
import type { TLSSocket } from "node:tls";
import type { RawRequest } from "./http-request.ts";

/** A server of either protocol. */
export type TlsServer = Server | Http2SecureServer;

/** Follows the connections of one server. */
export interface Connections {
  /** How many there are, of both protocols. */
  count(): number;
  /** Marks a request's connection busy. @returns what to call once when its answer is out or cut. */
  enter(request: RawRequest): () => void;
  /** Closes the listening socket, then every connection; resolves when none is left. */
  drain(deadlineMs: number): Promise<void>;
}

/** Times in ms. */
export interface ConnectionTimes {
  /** An HTTP/2 session without streams is closed after this; HTTP/1.1 has Node's own timer. */
  readonly idleMs: number;
  /** How long a connection must be quiet before a drain closes it: a request on its way is here by then. */
  readonly quietMs: number;
}

/** One socket, or one HTTP/2 session. */
interface Peer {
  busy: number;
  quietSince: number;
  readonly close: () => void;
  readonly destroy: () => void;
}

/** Kernel probes find peers that are gone: Go's server probes as seldom. */
const tcpKeepAliveMs = 180_000;
/** Idle sessions are looked for this often. */
const sweepMs = 5_000;
/** A drain looks this often if it is over. */
const drainPollMs = 20;
/** Turns before a connection is taken as quiet: in them is read what came while this process was held up. */
const readTurns = 3;
/** Turns of the event loop for what waits to be accepted: one connection a turn, and the longest queue that there is. */
const maxAcceptTurns = 4096;
/** Turns without a new connection after which none waits: the first one's look at the sockets may be older than the drain. */
const emptyTurns = 2;

/** Follows a server's connections from now on. */
export function createConnections(server: TlsServer, times: ConnectionTimes): Connections {
  const peers = new Map<object, Peer>();
  const handshakes = new Map<string, Peer & { readonly socket: Socket }>();
  const sockets = new Set<Socket>();
  const sessions = new Set<ServerHttp2Session>();

  server.on("connection", (socket: Socket) => {
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
    const key = addressOf(socket);
    const destroy = () => socket.destroy();
    handshakes.set(key, { busy: 0, quietSince: performance.now(), close: destroy, destroy, socket });
    socket.once("close", () => {
      if (handshakes.get(key)?.socket === socket) handshakes.delete(key);
    });
  });
  server.on("secureConnection", (socket: TLSSocket) => {
    handshakes.delete(addressOf(socket));
    socket.setKeepAlive(true, tcpKeepAliveMs);
    // Of HTTP/2 the session is followed; its socket ends with it.
    if (socket.alpnProtocol === "h2") return;
    const destroy = () => socket.destroy();
    peers.set(socket, { busy: 0, quietSince: performance.now(), close: destroy, destroy });
    socket.once("close", () => peers.delete(socket));
  });
  server.on("session", (session: ServerHttp2Session) => {
    peers.set(session, {
      busy: 0,
      quietSince: performance.now(),
      close: () => session.close(),
      destroy: () => session.destroy(),
    });
    sessions.add(session);
    session.once("close", () => peers.delete(session) && sessions.delete(session));
    session.on("error", () => session.destroy());
  });
  const sweep = setInterval(() => {
    closeQuiet(
      [...sessions].map((session) => peers.get(session)),
      times.idleMs,
    );
  }, sweepMs);
  sweep.unref();

  return {
    count: () => sockets.size,
    enter(request) {
      const peer = peers.get(peerOf(request));
      if (peer === undefined) return () => {};
      peer.busy++;
      return () => {
        peer.busy--;
        peer.quietSince = performance.now();
      };
    },
    async drain(deadlineMs) {
      const began = performance.now();
      for (const peer of [...peers.values(), ...handshakes.values()]) {
        // However long it was quiet before, a request may be on its way.
        peer.quietSince = Math.max(peer.quietSince, began);
      }
      await acceptWaiting(server);
      // Node's own `close` of both protocols ends idle connections and sessions at once; net's doesn't.
      const closed = new Promise<void>((resolve) => NetServer.prototype.close.call(server, () => resolve()));
      while (sockets.size > 0 && performance.now() < began + deadlineMs) {
        closeQuiet([...peers.values(), ...handshakes.values()], times.quietMs);
        await new Promise<void>((resolve) => setTimeout(resolve, drainPollMs));
        for (let turn = 0; turn < readTurns; turn++) await setImmediate();
      }
      clearInterval(sweep);
      for (const peer of peers.values()) peer.destroy();
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}

/** What a request is one of: its HTTP/2 session, or its socket. */
export function peerOf(request: RawRequest): object {
  return ("stream" in request ? request.stream?.session : undefined) ?? request.socket;
}

/** Takes in the connections that wait for it: closing their socket would reset them. */
async function acceptWaiting(server: TlsServer): Promise<void> {
  let empty = 0;
  const accepted = () => {
    empty = -1;
  };
  server.on("connection", accepted);
  for (let turn = 0; empty < emptyTurns && turn < maxAcceptTurns; turn++) {
    await setImmediate();
    empty++;
  }
  server.off("connection", accepted);
}

function closeQuiet(peers: readonly (Peer | undefined)[], forMs: number): void {
  const before = performance.now() - forMs;
  for (const peer of peers) if (peer !== undefined && peer.busy === 0 && peer.quietSince <= before) peer.close();
}

function addressOf(socket: Socket): string {
  return `${socket.localAddress} ${socket.localPort} ${socket.remoteAddress} ${socket.remotePort}`;
}
