/**
 * Calls the gateway back about a call: may its user do this as well? And what is to be remembered of it?
 *
 *   const host = createHost({ caFile, certFile, keyFile });
 *   async get(call) {
 *     if (!(await host.isAllowed(call, { verb: "read-secret", group, resource, name }))) throw forbidden("...");
 *     await host.record(call, { events: [{ type: "Normal", reason: "SecretRead", message: "..." }] });
 *
 * The certificate's common name, or a DNS name of it, is this store's name in the gateway's
 * configuration. Who can't be asked says no; a record that nobody keeps is lost, and the call goes on.
 * Source: proto/annex/store/v1/host.proto.
 */
import { readFileSync } from "node:fs";
import { type Client, Code, ConnectError, createClient } from "@connectrpc/connect";
import { createGrpcTransport, Http2SessionManager } from "@connectrpc/connect-node";
import { HostService } from "../../gen/annex/store/v1/host_pb.js";
import { unavailable } from "./errors.ts";
import type { TlsFiles } from "./listener.ts";
import type { Call } from "./store.ts";

/** A question about a resource, or about a path. What is left out is any, or none. */
export type Question =
  | {
      /** Kubernetes' word or one of your own. */
      readonly verb: string;
      readonly group: string;
      readonly version?: string;
      readonly resource: string;
      readonly subresource?: string;
      readonly namespace?: string;
      readonly name?: string;
    }
  | { readonly verb: string; readonly nonResourcePath: string };

/** What is added to the record of a call's request. */
export interface CallRecord {
  /** Kubernetes events about its object. `reason` is a word in CamelCase, `message` has at most 1,024 bytes. */
  readonly events?: readonly {
    readonly type: "Normal" | "Warning";
    readonly reason: string;
    readonly message: string;
  }[];
  /** For the audit event, by qualified names. */
  readonly auditAnnotations?: Readonly<Record<string, string>>;
}

/** The gateways that call this store, until `close`. */
export interface Host {
  /** Whether the user of the call may. @throws ConnectError UNAVAILABLE if nobody can say. */
  isAllowed(call: Pick<Call, "host" | "signal">, question: Question): Promise<boolean>;
  /** Adds to the record of the call's request. @returns whether it is kept. @throws TypeError if it can't be read. */
  record(call: Pick<Call, "host" | "signal">, record: CallRecord): Promise<boolean>;
  close(): void;
}

/** Replicas of one gateway; more addresses than that aren't kept. */
const maxGateways = 16;
/** Within the time of any call that asks. */
const timeoutMs = 5_000;

interface Gateway {
  readonly client: Client<typeof HostService>;
  close(): void;
}

/** Makes it; a gateway is connected to when it is first asked. @throws Error if a file can't be read. */
export function createHost(files: TlsFiles): Host {
  const gateways = new Map<string, Gateway>();
  const tls = {
    ca: readFileSync(files.caFile),
    cert: readFileSync(files.certFile),
    key: readFileSync(files.keyFile),
    minVersion: "TLSv1.2" as const,
  };

  function gatewayAt(address: string): Gateway {
    const known = gateways.get(address);
    if (known !== undefined) return known;
    const [oldest] = gateways;
    if (gateways.size >= maxGateways && oldest !== undefined) {
      oldest[1].close();
      gateways.delete(oldest[0]);
    }
    const baseUrl = `https://${address}`;
    const sessionManager = new Http2SessionManager(baseUrl, {}, tls);
    const transport = createGrpcTransport({ baseUrl, sessionManager, acceptCompression: [] });
    const made = { client: createClient(HostService, transport), close: () => sessionManager.abort() };
    gateways.set(address, made);
    return made;
  }

  return {
    async isAllowed({ host, signal }, question) {
      if (host === undefined) throw unavailable("the gateway can't be asked about its users");
      const asked = { ticket: host.ticket, questions: [question] };
      try {
        const { answers } = await gatewayAt(host.address).client.authorize(asked, { signal, timeoutMs });
        return answers[0]?.allowed === true;
      } catch (error) {
        if (!(error instanceof ConnectError)) throw error;
        throw Object.assign(unavailable("the gateway can't say what its user may do"), { cause: error });
      }
    },
    async record({ host, signal }, { events = [], auditAnnotations = {} }) {
      if (host === undefined) return false;
      const message = { ticket: host.ticket, events: [...events], auditAnnotations: { ...auditAnnotations } };
      try {
        await gatewayAt(host.address).client.record(message, { signal, timeoutMs });
        return true;
      } catch (error) {
        if (!(error instanceof ConnectError)) throw error;
        if (error.code === Code.InvalidArgument) throw new TypeError(error.rawMessage, { cause: error });
        return false;
      }
    },
    close() {
      for (const gateway of gateways.values()) gateway.close();
      gateways.clear();
    },
  };
}
