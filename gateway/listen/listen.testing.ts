/** A listener on a free port and clients of both protocols, for this room's tests. */
import assert from "node:assert/strict";
import { once } from "node:events";
import type { IncomingHttpHeaders, OutgoingHttpHeaders } from "node:http";
import { connect as connectHttp2 } from "node:http2";
import { Agent, request as requestHttps } from "node:https";
import type { TestContext } from "node:test";
import { type ConnectionOptions, connect as connectTls, type TLSSocket } from "node:tls";
import { createServingFolder, type ServingFolder } from "../../test/support/certificates.ts";
import type { HttpAnswer, HttpRequest } from "../apimachinery/http.ts";
import { createListener, type Listener, type ListenerOptions } from "./listen.ts";

/** What a test starts with. */
export interface Started {
  readonly listener: Listener;
  readonly files: ServingFolder;
  /** What was logged, newest last. */
  readonly logged: { readonly level: string; readonly fields: Record<string, unknown>; readonly message: string }[];
  /** Resolves at the next line with that text. */
  told(message: string): Promise<void>;
}

/** Makes a whole answer. */
export function textAnswer(text: string, headers: HttpAnswer["headers"] = {}): HttpAnswer {
  return { status: 200, headers: { "Content-Type": "text/plain", ...headers }, body: Buffer.from(text) };
}

/** Starts a listener that ends with the test. */
export async function start(
  t: TestContext,
  handle: (request: HttpRequest) => HttpAnswer | Promise<HttpAnswer>,
  options: Partial<ListenerOptions> = {},
): Promise<Started> {
  const files = await createServingFolder(t);
  const logged: Started["logged"] = [];
  const waiting: { message: string; resolve: () => void }[] = [];
  const at = (level: string) => (fields: object, message: string) => {
    logged.push({ level, fields: { ...fields }, message });
    for (const one of waiting) if (one.message === message) one.resolve();
  };
  const listener = await createListener({
    ...{ host: "127.0.0.1", port: 0, certFile: files.certFile, keyFile: files.keyFile },
    clientCas: () => files.authority.cert,
    http2: false,
    handle,
    log: { info: at("info"), warn: at("warn"), error: at("error") },
    ...options,
  });
  t.after(() => listener.close());
  return {
    listener,
    files,
    logged,
    told: (message) => new Promise<void>((resolve) => waiting.push({ message, resolve })),
  };
}

/** One answer as a client has it. */
export interface Received {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/** What a client asks. */
export interface Asking {
  readonly method?: string;
  readonly path?: string;
  readonly headers?: OutgoingHttpHeaders;
  readonly body?: Buffer;
}

/** A client of one protocol. */
export interface Client {
  ask(asking?: Asking): Promise<Received>;
  close(): void;
}

/** A client over one kept connection. */
export async function client(
  { listener, files }: Started,
  protocol: "1.1" | "2.0",
  tls: ConnectionOptions = {},
): Promise<Client> {
  const options = { ca: files.authority.cert, ...tls };
  if (protocol === "1.1") {
    const agent = new Agent({ ...options, keepAlive: true, maxSockets: 1 });
    return { ask: (asking = {}) => askHttp1(listener.port, agent, asking), close: () => agent.destroy() };
  }
  const session = connectHttp2(`https://127.0.0.1:${listener.port}`, options);
  session.on("error", () => {});
  await once(session, "connect");
  return {
    async ask({ method = "GET", path = "/", headers = {}, body }: Asking = {}) {
      const stream = session.request({ ...headers, ":method": method, ":path": path }, { endStream: !body });
      if (body !== undefined) stream.end(body);
      stream.on("error", () => {});
      const closed = once(stream, "close").then(() => assert.fail("closed without an answer"));
      closed.catch(() => {});
      const [head] = (await Promise.race([once(stream, "response"), closed])) as [
        IncomingHttpHeaders & { ":status": number },
      ];
      const chunks: Buffer[] = [];
      for await (const chunk of stream) chunks.push(chunk as Buffer);
      return { status: head[":status"], headers: head, body: Buffer.concat(chunks).toString() };
    },
    close: () => session.destroy(),
  };
}

async function askHttp1(port: number, agent: Agent, asking: Asking): Promise<Received> {
  const { method = "GET", path = "/", headers = {}, body } = asking;
  const request = requestHttps({ host: "127.0.0.1", port, method, path, headers, agent });
  // A server may answer and end before it has read all.
  const response = once(request, "response") as Promise<[import("node:http").IncomingMessage]>;
  request.end(body);
  const [incoming] = await response;
  request.on("error", () => {});
  const chunks: Buffer[] = [];
  for await (const chunk of incoming) chunks.push(chunk as Buffer);
  return {
    status: incoming.statusCode ?? 0,
    headers: incoming.headers,
    body: Buffer.concat(chunks).toString(),
  };
}

/** A bare TLS connection, for what no client library sends. */
export async function bare({ listener, files }: Started, options: ConnectionOptions = {}): Promise<TLSSocket> {
  const socket = connectTls({ host: "127.0.0.1", port: listener.port, ca: files.authority.cert, ...options });
  await once(socket, "secureConnect");
  socket.on("error", () => {});
  return socket;
}

/** Sends text and gives all that comes until the server ends. */
export async function exchange(started: Started, text: string): Promise<string> {
  const socket = await bare(started);
  socket.write(text);
  return await untilEnd(socket);
}

/** All that comes until the other side ends. */
export async function untilEnd(socket: TLSSocket): Promise<string> {
  let all = "";
  socket.setEncoding("latin1").on("data", (chunk: string) => {
    all += chunk;
  });
  await once(socket, "close");
  return all;
}
