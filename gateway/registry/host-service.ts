/**
 * HostService: what stores may ask and tell the gateway, on a port of its own with mutual TLS.
 *
 * Who calls is said by the certificate: its common name, or a DNS name of it, is the store's name in
 * the configuration. What it may ask is said by the ticket that came with the call it serves, and so is
 * what its records are about: a store can't name another request, user or object.
 * Source: proto/annex/store/v1/host.proto.
 */
import { X509Certificate } from "node:crypto";
import type { IncomingMessage } from "node:http";
import {
  createSecureServer,
  type Http2SecureServer,
  type Http2ServerRequest,
  type ServerHttp2Session,
} from "node:http2";
import type { AddressInfo } from "node:net";
import type { TLSSocket } from "node:tls";
import { Code, ConnectError, type ConnectRouter, createContextKey, createContextValues } from "@connectrpc/connect";
import { connectNodeAdapter } from "@connectrpc/connect-node";
import {
  type AccessAnswer,
  type AccessQuestion,
  HostService,
  type RecordRequest,
} from "../../gen/annex/store/v1/host_pb.js";
import { qualifiedNameErrors } from "../apimachinery/names.ts";
import type { User } from "../apimachinery/user.ts";
import type { CallObject, HostTickets, TicketHolder } from "./host-tickets.ts";

/** May a user do this? Empty strings mean what they mean in the contract. */
export interface HostQuestion {
  readonly verb: string;
  readonly group: string;
  readonly version: string;
  readonly resource: string;
  readonly subresource: string;
  readonly namespace: string;
  readonly name: string;
  readonly nonResourcePath: string;
}

/** Answers a question about a user. @throws whatever kept it from being decided. */
export type HostAuthorize = (
  user: User,
  question: HostQuestion,
) => Promise<{ readonly allowed: boolean; readonly reason: string }>;

/** What a store adds to the record of a request. */
export interface HostRecord {
  /** Its name in the configuration. */
  readonly store: string;
  readonly auditId: string;
  readonly user: User;
  /** Undefined: the request is about a collection, and there are no events. */
  readonly object: CallObject | undefined;
  /** About the object. */
  readonly events: readonly RecordedEvent[];
  /** By qualified names. */
  readonly annotations: Readonly<Record<string, string>>;
}

/** A Kubernetes event. */
export interface RecordedEvent {
  readonly type: "Normal" | "Warning";
  /** A word in CamelCase. */
  readonly reason: string;
  readonly message: string;
}

/** Keeps a record. @throws whatever kept it from being kept. */
export type KeepRecord = (record: HostRecord) => Promise<void>;

/** What it is served with. */
export interface HostServiceOptions {
  readonly host: string;
  /** 0 takes a free one. */
  readonly port: number;
  /** Whether other processes of ours listen there as well. Default: false. */
  readonly isShared?: boolean;
  /** The serving pair, and whose client certificates count; PEM, of now. */
  readonly certificates: {
    current(): { readonly cert: string; readonly key: string; readonly ca: readonly string[] };
    onChange(listener: () => void): void;
  };
  readonly tickets: HostTickets;
  readonly authorize: HostAuthorize;
  readonly record: KeepRecord;
  readonly log: { info(fields: object, message: string): void; error(fields: object, message: string): void };
}

/** A service that listens. */
export interface ListeningHost {
  readonly port: number;
  close(): Promise<void>;
}

/** Questions of one call, as the contract says. */
const maxQuestions = 100;
/** Events of one call, as the contract says. */
const maxEvents = 100;
/** As Kubernetes' events have it, and the contract. */
const maxReasonLength = 128;
const maxMessageBytes = 1_024;
/** An audit event is one line of a log. */
const maxAnnotations = 100;
/** Calls that are answered at once: a store that asks more waits for its own users. */
const maxCalls = 1_000;
/** Records that are kept at once: a store that tells more tells it for nobody. */
const maxRecords = 100;
/** A hundred questions are a few KB, a hundred events a hundred. */
const maxRequestBytes = 256 * 1024;
/** Of a caller that gives no more than a certificate: many streams on few connections. */
const http2Settings = { maxConcurrentStreams: maxCalls };

const callerKey = createContextKey<readonly string[]>([]);

/** Begins to listen. @throws Error if the port is taken or the pair can't be used. */
export async function serveHost(options: HostServiceOptions): Promise<ListeningHost> {
  const { certificates, log } = options;
  const handler = connectNodeAdapter({
    routes: hostRoutes(options),
    acceptCompression: [],
    readMaxBytes: maxRequestBytes,
    contextValues: (request) => createContextValues().set(callerKey, namesOf(request)),
  });
  const tls = () => {
    const { cert, key, ca } = certificates.current();
    return { cert, key, ca: [...ca], minVersion: "TLSv1.2" as const };
  };
  const server = createSecureServer(
    { ...tls(), requestCert: true, rejectUnauthorized: true, allowHTTP1: true, settings: http2Settings },
    handler,
  );
  certificates.onChange(() => server.setSecureContext(tls()));
  const sessions = new Set<ServerHttp2Session>();
  server.on("session", (session) => {
    sessions.add(session);
    session.once("close", () => sessions.delete(session));
    session.on("error", () => session.destroy());
  });
  await listen(server, options);
  server.on("error", (error) => log.error({ err: error }, "the listener of HostService failed"));
  return {
    port: (server.address() as AddressInfo).port,
    async close() {
      // Every ticket is worthless by now.
      for (const session of sessions) session.destroy();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}

async function listen(server: Http2SecureServer, { host, port, isShared = false }: HostServiceOptions): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    const fail = (error: Error) =>
      reject(new Error(`cannot listen for stores on ${host}:${port}: ${error.message}`, { cause: error }));
    server.once("error", fail);
    server.listen({ port, host, reusePort: isShared }, () => {
      server.off("error", fail);
      resolve();
    });
  });
}

/** The names that the caller's certificate bears. */
function namesOf(request: IncomingMessage | Http2ServerRequest): readonly string[] {
  const session = "stream" in request ? request.stream.session : undefined;
  const socket = (session?.socket ?? request.socket) as TLSSocket;
  const raw = socket.getPeerCertificate?.()?.raw;
  if (raw === undefined) return [];
  const { subject, subjectAltName } = new X509Certificate(raw);
  const common = /^CN=(.+)$/m.exec(subject ?? "")?.[1];
  const dns = [...(subjectAltName ?? "").matchAll(/(?:^|, )DNS:([^,]+)/g)].map(([, name]) => name ?? "");
  return common === undefined ? dns : [common, ...dns];
}

function hostRoutes({ tickets, authorize, record, log }: HostServiceOptions): (router: ConnectRouter) => void {
  let running = 0;
  let recording = 0;

  async function holderOf(ticket: Uint8Array, caller: readonly string[]): Promise<TicketHolder> {
    const holder = await tickets.anywhere(ticket).catch((error: unknown) => {
      log.error({ err: error }, "the other workers can't be asked whose a ticket is");
      throw new ConnectError("the ticket can't be looked for at the moment", Code.Unavailable);
    });
    // No word on which of the two it is.
    if (holder !== undefined && caller.includes(holder.store)) return holder;
    throw new ConnectError("the ticket is of another store, or its request has ended", Code.Unauthenticated);
  }

  async function answer({ user, store, requestId }: TicketHolder, question: AccessQuestion): Promise<Answered> {
    try {
      return await authorize(user, question);
    } catch (error) {
      log.error({ err: error, store, auditId: requestId }, "a store's question can't be decided");
      throw new ConnectError("nobody can decide at the moment", Code.Unavailable);
    }
  }

  async function keep({ store, user, requestId, object }: TicketHolder, request: RecordRequest): Promise<void> {
    const { auditAnnotations: annotations } = request;
    const events = request.events.map(readEvent);
    assertAnnotations(annotations);
    if (events.length > 0 && object === undefined) {
      throw new ConnectError("the request is about no single object", Code.InvalidArgument);
    }
    try {
      await record({ store, auditId: requestId, user, object: object?.(), events, annotations });
    } catch (error) {
      log.error({ err: error, store, auditId: requestId }, "a store's record can't be kept");
      throw new ConnectError("the record can't be kept at the moment", Code.Unavailable);
    }
  }

  return (router) => {
    router.service(HostService, {
      async authorize({ ticket, questions }, context) {
        if (running >= maxCalls) throw new ConnectError("too many questions are waiting", Code.ResourceExhausted);
        running++;
        try {
          const holder = await holderOf(ticket, context.values.get(callerKey));
          if (questions.length > maxQuestions) {
            throw new ConnectError(`at most ${maxQuestions} questions are answered at once`, Code.InvalidArgument);
          }
          for (const question of questions) assertAsked(question);
          return { answers: await Promise.all(questions.map((question) => answer(holder, question))) };
        } finally {
          running--;
        }
      },
      async record(request, context) {
        if (recording >= maxRecords) throw new ConnectError("too many records are waiting", Code.ResourceExhausted);
        recording++;
        try {
          await keep(await holderOf(request.ticket, context.values.get(callerKey)), request);
          return {};
        } finally {
          recording--;
        }
      },
    });
  };
}

type Answered = Pick<AccessAnswer, "allowed" | "reason">;

function assertAsked({ verb, resource, nonResourcePath }: AccessQuestion): void {
  if (verb !== "" && (resource === "") !== (nonResourcePath === "")) return;
  throw new ConnectError("a question needs a verb, and either a resource or a path", Code.InvalidArgument);
}

function readEvent({ type, reason, message }: RecordRequest["events"][number], at: number, all: readonly unknown[]) {
  if (all.length > maxEvents)
    throw new ConnectError(`at most ${maxEvents} events are kept at once`, Code.InvalidArgument);
  if (type !== "Normal" && type !== "Warning") throw unreadable(at, "its type must be Normal or Warning");
  if (!/^[A-Z][A-Za-z0-9]*$/.test(reason) || reason.length > maxReasonLength) {
    throw unreadable(at, `its reason must be a word in CamelCase of at most ${maxReasonLength} letters`);
  }
  if (Buffer.byteLength(message) > maxMessageBytes) {
    throw unreadable(at, `its message must have at most ${maxMessageBytes} bytes`);
  }
  return { type, reason, message } as const;
}

function unreadable(at: number, why: string): ConnectError {
  return new ConnectError(`event ${at}: ${why}`, Code.InvalidArgument);
}

function assertAnnotations(annotations: Readonly<Record<string, string>>): void {
  const keys = Object.keys(annotations);
  if (keys.length > maxAnnotations) {
    throw new ConnectError(`at most ${maxAnnotations} annotations are kept at once`, Code.InvalidArgument);
  }
  const odd = keys.find((key) => qualifiedNameErrors(key).length > 0);
  if (odd !== undefined) {
    throw new ConnectError(`annotation ${JSON.stringify(odd)}: its key must be a qualified name`, Code.InvalidArgument);
  }
}
