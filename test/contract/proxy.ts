/**
 * A proxy in front of a store that injects faults: cuts connections, stalls, slows down.
 *
 * Forwards bytes and understands none of them. States: open -> closed.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { connect, createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";

/** A proxy that is listening. */
export interface FaultProxy {
  readonly address: string;
  /** Where new connections go from now on. */
  retarget(address: string): void;
  /** Breaks every connection. */
  cut(): void;
  /** Forwards nothing until resume(); connections stay. */
  stall(): void;
  resume(): void;
  /** Bytes in a second and direction, of each connection. 0: as fast as it goes. */
  slow(bytesPerSecond: number): void;
  close(): Promise<void>;
}

/** Bytes that are forwarded at once on a slow link: some milliseconds of it. */
const sliceBytes = 4 * 1024;

/** Puts a proxy in front of an address. With TLS it listens on TCP, so that the certificate's name holds. */
export async function createProxy(target: string, isTls: boolean): Promise<FaultProxy> {
  const folder = mkdtempSync(join(tmpdir(), "annex-proxy-"));
  const sockets = new Set<Socket>();
  let to = target;
  let rate = 0;
  let gate: Promise<void> = Promise.resolve();
  let open = () => {};

  async function forward(from: Socket, into: Socket): Promise<void> {
    try {
      for await (const chunk of from as AsyncIterable<Buffer>) {
        for (let at = 0; at < chunk.length; ) {
          await gate;
          const slice = rate > 0 ? chunk.subarray(at, at + sliceBytes) : chunk.subarray(at);
          if (!into.write(slice))
            await new Promise<void>((resolve) => into.once("drain", resolve).once("close", resolve));
          at += slice.length;
          if (rate > 0) await pause((slice.length / rate) * 1_000);
        }
      }
    } catch {
      // A broken connection is broken on both sides.
    }
    into.destroy();
    from.destroy();
  }

  const server = createServer((socket) => {
    const other = dialAddress(to);
    for (const one of [socket, other]) {
      sockets.add(one);
      one.once("close", () => sockets.delete(one));
      one.on("error", () => one.destroy());
    }
    void forward(socket, other);
    void forward(other, socket);
  });
  await new Promise<void>((resolve) => {
    if (isTls) server.listen({ host: "127.0.0.1", port: 0 }, resolve);
    else server.listen({ path: join(folder, "proxy.sock") }, resolve);
  });
  const bound = server.address();
  return {
    address: typeof bound === "object" && bound !== null ? `127.0.0.1:${bound.port}` : `unix:${bound}`,
    retarget(address) {
      to = address;
    },
    cut() {
      for (const socket of sockets) socket.destroy();
    },
    stall() {
      gate = new Promise((resolve) => {
        open = resolve;
      });
    },
    resume() {
      open();
      gate = Promise.resolve();
    },
    slow(bytesPerSecond) {
      rate = bytesPerSecond;
    },
    async close() {
      open();
      for (const socket of sockets) socket.destroy();
      await new Promise<void>((resolve) => server.close(() => resolve()));
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

function dialAddress(address: string): Socket {
  if (address.startsWith("unix:")) return connect(address.slice("unix:".length));
  const colon = address.lastIndexOf(":");
  return connect(Number(address.slice(colon + 1)), address.slice(0, colon).replace(/^\[|\]$/g, ""));
}
