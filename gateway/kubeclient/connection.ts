/**
 * Sends requests over kept TLS connections, with the credentials of now.
 *
 * Files are read again after a minute: a pod's token is renewed every hour or so, a certificate now
 * and then. New TLS material gets an agent of its own; connections of the one before end when they
 * are idle. Source: client-go transport/token_source.go, transport/cert_rotation.go.
 */
import { readFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import type { IncomingMessage, OutgoingHttpHeaders } from "node:http";
import { Agent, request as httpsRequest, type RequestOptions } from "node:https";
import type { KubeEndpoint, Source } from "./endpoint.ts";
import type { KubeRequest } from "./kubeclient.ts";

/** Sends requests, until it is closed. */
export interface Connection {
  /** Gives the answer once its head is there. Its body must be read or destroyed. */
  send(request: KubeRequest, options: SendOptions): Promise<IncomingMessage>;
  close(): void;
}

/** How one request is sent. */
export interface SendOptions {
  /** Ends the request and the reading of its answer. */
  readonly signal: AbortSignal;
  /** A stream has a connection for itself, so that it takes none from short requests. */
  readonly isStream: boolean;
}

/** As client-go reads tokens again. */
const rereadMs = 60_000;
/** To one host. A review takes milliseconds: this many at once are tens of thousands a second. */
const maxSockets = 64;
/** An idle connection is closed before kube-apiserver (90 s) would close it under a request. */
const idleMs = 30_000;
/** Quiet this long, TCP asks if the other side is still there, and gives up ten seconds later. */
const keepAliveMs = 30_000;

interface Tls {
  readonly ca: string | undefined;
  readonly cert: string | undefined;
  readonly key: string | undefined;
}

/** Makes a connection; nothing is sent or read yet. */
export function createConnection(endpoint: KubeEndpoint, { userAgent }: { readonly userAgent: string }): Connection {
  const reading = {
    ca: reader(endpoint.ca),
    cert: reader(endpoint.clientCertificate),
    key: reader(endpoint.clientKey),
  };
  const token = reader(endpoint.token);
  const { server, serverName, skipVerify } = endpoint;
  const base = server.pathname.replace(/\/+$/, "");
  const agents: Agent[] = [];
  let current: { readonly tls: Tls; readonly short: Agent; readonly streams: Agent } | undefined;

  async function agentsOfNow() {
    const [ca, cert, key] = await Promise.all([reading.ca(), reading.cert(), reading.key()]);
    if (current !== undefined && current.tls.ca === ca && current.tls.cert === cert && current.tls.key === key) {
      return current;
    }
    const options = {
      ...(ca === undefined ? {} : { ca }),
      ...(cert === undefined ? {} : { cert }),
      ...(key === undefined ? {} : { key }),
      ...(serverName === undefined ? {} : { servername: serverName }),
      minVersion: "TLSv1.2" as const,
      rejectUnauthorized: !skipVerify,
      keepAlive: true,
      keepAliveMsecs: keepAliveMs,
    };
    current = {
      tls: { ca, cert, key },
      short: new Agent({ ...options, maxSockets, timeout: idleMs }),
      streams: new Agent({ ...options, maxFreeSockets: 0 }),
    };
    agents.push(current.short, current.streams);
    return current;
  }

  return {
    async send(request, { signal, isStream }) {
      const { short, streams } = await agentsOfNow();
      const query = new URLSearchParams(request.query).toString();
      const bearer = await token();
      const body = request.body === undefined ? undefined : Buffer.from(JSON.stringify(request.body));
      const headers: OutgoingHttpHeaders = {
        Accept: request.accept ?? "application/json",
        "User-Agent": userAgent,
        ...(bearer === undefined ? {} : { Authorization: `Bearer ${bearer.trim()}` }),
        ...(body === undefined ? {} : { "Content-Type": contentTypes[request.method], "Content-Length": body.length }),
      };
      const options: RequestOptions = {
        method: request.method,
        agent: isStream ? streams : short,
        headers,
        signal,
        path: `${base}${request.path}${query === "" ? "" : `?${query}`}`,
      };
      return await new Promise<IncomingMessage>((resolve, reject) => {
        const sent = httpsRequest(server, options, resolve);
        sent.once("error", reject);
        sent.end(body);
      });
    },
    close() {
      for (const agent of agents) agent.destroy();
    },
  };
}

const contentTypes: Readonly<Record<KubeRequest["method"], string>> = {
  GET: "application/json",
  POST: "application/json",
  PUT: "application/json",
  PATCH: "application/merge-patch+json",
  DELETE: "application/json",
};

/** Gives a source's text; a file's for a minute, and what it held before while it can't be read. */
function reader(source: Source | undefined): () => Promise<string | undefined> {
  if (source === undefined) return async () => undefined;
  if ("text" in source) return async () => source.text;
  let text: string | undefined;
  let readAt = Number.NEGATIVE_INFINITY;
  return async () => {
    if (performance.now() - readAt < rereadMs) return text;
    try {
      text = await readFile(source.file, "utf8");
      readAt = performance.now();
    } catch (error) {
      if (text === undefined) throw error;
    }
    return text;
  };
}

/** Says whether a source can be read now. @throws Error naming the file. */
export function assertReadable(source: Source | undefined): void {
  if (source !== undefined && "file" in source) readFileSync(source.file);
}
