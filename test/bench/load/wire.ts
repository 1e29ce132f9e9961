/** How the load asks: over a connection of HTTP/1.1, or a stream of one HTTP/2 connection. */
import { type ClientHttp2Session, connect as connectHttp2 } from "node:http2";
import { connect as connectTls, type TLSSocket } from "node:tls";
import { type Answer, answerReader, maxStartBytes } from "./answer-reader.ts";

/** Whom it asks, on the loopback address. */
export interface Target {
  readonly port: number;
  /** Who issued the certificate that is shown for `localhost`; PEM. */
  readonly ca: string;
  /** A bearer token. Undefined: none. */
  readonly token: string | undefined;
}

/** One request. `headers` beside those that every request has. */
export interface Asked {
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | undefined;
}

/** One request at a time. */
export interface Wire {
  /** @throws Error if the connection fails. */
  ask(asked: Asked): Promise<Answer>;
  /** A server ends what nobody has used for a minute or two. */
  isOpen(): boolean;
  close(): void;
}

const host = "localhost";

/** Opens a connection to a target, ready to write to. */
export async function openTls({ port, ca }: Target): Promise<TLSSocket> {
  const socket = connectTls({ host: "127.0.0.1", port, ca, servername: host, ALPNProtocols: ["http/1.1"] });
  socket.setNoDelay(true);
  await new Promise<void>((resolve, reject) => socket.once("secureConnect", resolve).once("error", reject));
  socket.removeAllListeners("error");
  return socket;
}

/** Formats a request's head. */
export function headOf({ token }: Target, { method, path, headers, body }: Asked): string {
  let head = `${method} ${path} HTTP/1.1\r\nHost: ${host}\r\n`;
  if (token !== undefined) head += `Authorization: Bearer ${token}\r\n`;
  for (const name in headers) head += `${name}: ${headers[name]}\r\n`;
  if (body !== undefined) head += `Content-Type: application/json\r\nContent-Length: ${Buffer.byteLength(body)}\r\n`;
  return `${head}\r\n`;
}

/** Opens one connection of HTTP/1.1. */
export async function openHttp1(target: Target): Promise<Wire> {
  const socket = await openTls(target);
  let waiting: PromiseWithResolvers<Answer> | undefined;
  const fail = (error: Error) => waiting?.reject(error);
  const read = answerReader((answer) => waiting?.resolve(answer));
  socket.on("data", (data: Buffer) => {
    try {
      read(data);
    } catch (error) {
      fail(error as Error);
    }
  });
  socket.on("error", fail);
  socket.on("close", () => fail(new Error("the connection was closed")));
  return {
    ask(asked) {
      waiting = Promise.withResolvers();
      socket.write(headOf(target, asked) + (asked.body ?? ""));
      return waiting.promise;
    },
    isOpen: () => socket.writable,
    close: () => socket.destroy(),
  };
}

/** Opens so many streams' worth of one HTTP/2 connection, as an aggregator's. */
export function openHttp2(target: Target, streams: number): Wire[] {
  const { port, ca, token } = target;
  const session = connectHttp2(`https://${host}:${port}`, { ca, settings: { initialWindowSize: 1024 * 1024 } });
  session.setMaxListeners(0);
  session.once("connect", (opened: ClientHttp2Session) => opened.setLocalWindowSize(2 ** 30));
  const common = token === undefined ? {} : { authorization: `Bearer ${token}` };
  const ask: Wire["ask"] = ({ method, path, headers, body }) =>
    new Promise((resolve, reject) => {
      const type = body === undefined ? {} : { "content-type": "application/json" };
      const stream = session.request({ ":method": method, ":path": path, ...common, ...headers, ...type });
      let [status, start, bytes] = [0, "", 0];
      stream.once("response", (head) => {
        status = Number(head[":status"]);
      });
      stream.on("data", (data: Buffer) => {
        if (start.length < maxStartBytes) start += data.toString("latin1", 0, maxStartBytes - start.length);
        bytes += data.length;
      });
      stream.once("end", () => resolve({ status, start, end: "", bytes }));
      stream.once("error", reject);
      session.once("error", reject);
      stream.end(body);
    });
  const isOpen = () => !session.closed && !session.destroyed;
  return Array.from({ length: streams }, () => ({ ask, isOpen, close: () => session.destroy() }));
}
