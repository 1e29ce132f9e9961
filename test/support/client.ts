/**
 * A client of a gateway that opens what it is told to, over HTTP/1.1 or one HTTP/2 connection, and
 * says how long each answer took.
 */
import { readFileSync } from "node:fs";
import { type ClientHttp2Session, connect } from "node:http2";
import { Agent, request } from "node:https";
import { parse } from "yaml";

/** Who asks, and whom it trusts; PEM. */
export interface Credentials {
  readonly ca: string | Buffer;
  readonly cert: string | Buffer;
  readonly key: string | Buffer;
}

/** One request. */
export interface Asked {
  readonly method?: string;
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Buffer | string;
}

/** One answer, whole. */
export interface Answered {
  readonly status: number;
  readonly headers: Readonly<Record<string, unknown>>;
  readonly body: string;
  /** From the call to the last byte. */
  readonly ms: number;
}

/** An answer whose body is the caller's to read: flowing only once it says so. */
export interface OpenAnswer {
  readonly status: number;
  readonly body: NodeJS.ReadableStream;
  /** Goes away without a word: the connection ends, or the stream is reset. */
  cancel(): void;
}

/** A client with connections of its own. */
export interface Client {
  /** @throws Error if the connection fails. */
  ask(asked: Asked): Promise<Answered>;
  /** Gives the answer once its head is there. @throws as ask(). */
  open(asked: Asked): Promise<OpenAnswer>;
  close(): void;
}

/** Which client. `connections` bounds those of HTTP/1.1; HTTP/2 has one. */
export interface ClientOptions {
  readonly url: string;
  readonly credentials: Credentials;
  readonly http2?: boolean;
  readonly connections?: number;
}

/** Reads what `annex dev` wrote. */
export function credentialsOf(kubeconfig: string): Credentials {
  const config = parse(readFileSync(kubeconfig, "utf8"));
  const pem = (text: string) => Buffer.from(text, "base64");
  return {
    ca: pem(config.clusters[0].cluster["certificate-authority-data"]),
    cert: pem(config.users[0].user["client-certificate-data"]),
    key: pem(config.users[0].user["client-key-data"]),
  };
}

/** Makes a client; it connects when it is first used. */
export function createClient(options: ClientOptions): Client {
  const { open, close } = options.http2 === true ? overHttp2(options) : overHttp1(options);
  return {
    open,
    close,
    async ask(asked) {
      const began = performance.now();
      const { status, headers, body } = await open(asked);
      const chunks: Buffer[] = [];
      for await (const chunk of body) chunks.push(chunk as Buffer);
      return { status, headers, body: Buffer.concat(chunks).toString(), ms: performance.now() - began };
    },
  };
}

interface Opened extends OpenAnswer {
  readonly headers: Readonly<Record<string, unknown>>;
}

interface Wire {
  open(asked: Asked): Promise<Opened>;
  close(): void;
}

function overHttp1({ url, credentials, connections = Number.POSITIVE_INFINITY }: ClientOptions): Wire {
  const agent = new Agent({ ...credentials, keepAlive: true, maxSockets: connections });
  return {
    close: () => agent.destroy(),
    open: ({ method = "GET", path, headers = {}, body }) =>
      new Promise((resolve, reject) => {
        // Node would send the body of a DELETE without its length.
        const length = body === undefined ? {} : { "content-length": Buffer.byteLength(body) };
        const sent = request(new URL(path, url), { method, agent, headers: { ...length, ...headers } });
        sent.once("error", reject);
        sent.once("response", (response) => {
          // What breaks from here on breaks the body.
          sent.off("error", reject).on("error", () => {});
          const { statusCode: status = 0, headers } = response;
          resolve({ status, headers, body: response, cancel: () => sent.destroy() });
        });
        sent.end(body);
      }),
  };
}

function overHttp2({ url, credentials }: ClientOptions): Wire {
  let session: ClientHttp2Session | undefined;
  const connected = (): ClientHttp2Session => {
    if (session === undefined || session.closed || session.destroyed) {
      session = connect(url, { ...credentials, maxSessionMemory: 4096, settings: { initialWindowSize: 1024 * 1024 } });
      session.setMaxListeners(0);
      // As Go's client: a stream that nobody reads must not hold back the others of its connection.
      session.once("connect", (opened: ClientHttp2Session) => opened.setLocalWindowSize(2 ** 30));
      session.on("error", () => {});
    }
    return session;
  };
  return {
    close: () => session?.destroy(),
    open: ({ method = "GET", path, headers = {}, body }) =>
      new Promise((resolve, reject) => {
        const stream = connected().request({ ":method": method, ":path": path, ...headers });
        stream.once("error", reject);
        stream.once("close", () => reject(new Error(`the stream ended with code ${stream.rstCode} and no answer`)));
        stream.once("response", (headers) => {
          stream.off("error", reject).on("error", () => {});
          resolve({ status: Number(headers[":status"]), headers, body: stream, cancel: () => stream.close(8) });
        });
        stream.end(body);
      }),
  };
}
