/**
 * The limit: a raw server of Node's that answers each path with the bytes it was given for it, and does nothing
 * else. A path that it was given no bytes for is a watch: what it is told to write, it writes to all of them.
 * Started with a channel, over which the bytes come; its port goes back once it listens, and a word once it knows them.
 */
import { readFileSync } from "node:fs";
import { createSecureServer } from "node:http2";
import { createServer } from "node:https";
import type { AddressInfo, Socket } from "node:net";

/** What it is told first. */
export interface RawStart {
  readonly certFile: string;
  readonly keyFile: string;
  readonly http2: boolean;
}

/** What it is told later. */
export interface RawOrder {
  /** By path with its query; text of JSON. */
  readonly answers?: Readonly<Record<string, string>>;
  /** One event for every watch. */
  readonly event?: string;
}

interface Request {
  readonly url?: string | undefined;
}
interface Response {
  readonly socket: Socket | null;
  writeHead(status: number, headers: Readonly<Record<string, string | number>>): unknown;
  end(body: Buffer): unknown;
  flushHeaders?(): void;
}

/** In MB: 64 lists of 1 MB on one connection are more than Node allows by itself. */
const maxSessionMemory = 1024;
const bodies = new Map<string, Buffer>();
const watchers = new Set<Socket>();

process.once("message", ({ certFile, keyFile, http2 }: RawStart) => {
  const options = { cert: readFileSync(certFile), key: readFileSync(keyFile) };
  const answer = (request: Request, response: Response) => {
    const body = bodies.get(request.url ?? "");
    if (body === undefined) watch(response);
    else {
      response.writeHead(200, { "Content-Type": "application/json", "Content-Length": body.length });
      response.end(body);
    }
  };
  const server = http2 ? createSecureServer({ ...options, maxSessionMemory }, answer) : createServer(options, answer);
  // A connection that waits for its turn is not closed under its next request.
  if ("keepAliveTimeout" in server) server.keepAliveTimeout = 0;
  server.listen(0, "127.0.0.1", () => process.send?.((server.address() as AddressInfo).port));
  process.on("message", order);
});
process.once("disconnect", () => process.exit(0));

function order({ answers, event }: RawOrder): void {
  if (answers !== undefined) {
    for (const [path, text] of Object.entries(answers)) bodies.set(path, Buffer.from(text));
    process.send?.("taught");
  }
  if (event === undefined) return;
  // Made once, the chunk's length in it: nothing is cheaper than one write of these bytes to each.
  const chunk = Buffer.from(`${Buffer.byteLength(event).toString(16)}\r\n${event}\r\n`);
  for (const socket of watchers) socket.write(chunk);
}

function watch(response: Response): void {
  response.writeHead(200, { "Content-Type": "application/json", "Transfer-Encoding": "chunked" });
  response.flushHeaders?.();
  const { socket } = response;
  if (socket === null) return;
  watchers.add(socket);
  socket.once("close", () => watchers.delete(socket));
}
