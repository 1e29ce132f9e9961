/**
 * Asks a server over HTTPS, on connections that are kept, as one of three users.
 */

import type { IncomingMessage } from "node:http";
import { Agent, type AgentOptions, type RequestOptions, request } from "node:https";
import { createInterface } from "node:readline";

/** A request with every variable filled in. */
export interface Asked {
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | undefined;
  readonly as: "admin" | "stranger" | "liar";
}

/** An answer as it came. Header names are lower case; each has all its values. */
export interface Told {
  readonly status: number;
  readonly headers: Readonly<Record<string, readonly string[]>>;
  readonly body: string;
}

/** A watch that goes on. */
export interface Stream {
  readonly status: number;
  readonly headers: Told["headers"];
  /** The lines so far. */
  readonly lines: readonly string[];
  /** Whether the server ended it. */
  readonly ended: boolean;
  close(): void;
}

/** A server that can be asked. */
export interface Server {
  ask(asked: Asked): Promise<Told>;
  /** Resolves with the answer's head. */
  open(asked: Asked): Promise<Stream>;
  close(): void;
}

/** PEM. */
export interface Credentials {
  readonly ca: string | Buffer;
  readonly admin: { readonly cert: string | Buffer; readonly key: string | Buffer };
  readonly stranger: { readonly cert: string | Buffer; readonly key: string | Buffer };
}

/** Far above the three seconds that a read waits for a revision; what takes longer is no answer. */
const timeoutMs = 60_000;
/** In time with the scenarios in flight; watches have their own. */
const maxSockets = 32;

/** Opens no connection before the first request. */
export function createServer(url: string, credentials: Credentials): Server {
  const { hostname, port } = new URL(url);
  const options: AgentOptions = { ca: credentials.ca, keepAlive: true };
  const agents = {
    admin: new Agent({ ...options, ...credentials.admin, maxSockets }),
    stranger: new Agent({ ...options, ...credentials.stranger, maxSockets }),
    liar: new Agent({ ...options, maxSockets }),
    watches: new Agent({ ...options, ...credentials.admin, keepAlive: false }),
  };
  const send = async (asked: Asked, agent: Agent, isWatch: boolean): Promise<[IncomingMessage, () => void]> => {
    const headers: Record<string, string> = { "user-agent": "differential/1", ...asked.headers };
    if (asked.as === "liar") headers["authorization"] = "Bearer nobody-issued-this";
    if (asked.body !== undefined) headers["content-length"] = String(Buffer.byteLength(asked.body));
    const given: RequestOptions = { hostname, port, agent, method: asked.method, path: asked.path, headers };
    return await new Promise((resolve, reject) => {
      const sent = request(given, (response) => resolve([response, () => sent.destroy()]));
      sent.once("error", (error) => reject(new Error(`${asked.method} ${asked.path}: ${error.message}`)));
      const late = setTimeout(() => sent.destroy(new Error("no answer in time")), timeoutMs);
      // A watch may stay open once it has begun.
      sent.once(isWatch ? "response" : "close", () => clearTimeout(late));
      sent.end(asked.body);
    });
  };
  return {
    async ask(asked) {
      try {
        const [response] = await send(asked, agents[asked.as], false);
        const chunks: Buffer[] = [];
        for await (const chunk of response) chunks.push(chunk as Buffer);
        const body = Buffer.concat(chunks).toString("utf8");
        return { status: response.statusCode ?? 0, headers: headersOf(response), body };
      } catch (error) {
        // To close the connection is an answer, too.
        return { status: 0, headers: {}, body: `no answer: ${(error as NodeJS.ErrnoException).code}` };
      }
    },
    async open(asked) {
      let response: IncomingMessage;
      let close: () => void;
      try {
        [response, close] = await send(asked, agents.watches, true);
      } catch (error) {
        return { status: 0, headers: {}, lines: [`${(error as Error).message}`], ended: true, close() {} };
      }
      const lines: string[] = [];
      const stream = { status: response.statusCode ?? 0, headers: headersOf(response), lines, ended: false, close };
      response.once("end", () => {
        stream.ended = true;
      });
      response.on("error", () => {
        stream.ended = true;
      });
      createInterface({ input: response, crlfDelay: Number.POSITIVE_INFINITY })
        .on("line", (line) => lines.push(line))
        // The interface tells again what the response says.
        .on("error", () => {});
      return stream;
    },
    close() {
      for (const agent of Object.values(agents)) agent.destroy();
    },
  };
}

function headersOf(response: IncomingMessage): Told["headers"] {
  const headers: Record<string, string[]> = {};
  for (let at = 0; at < response.rawHeaders.length; at += 2) {
    const name = response.rawHeaders[at]?.toLowerCase() ?? "";
    headers[name] = [...(headers[name] ?? []), response.rawHeaders[at + 1] ?? ""];
  }
  return headers;
}
