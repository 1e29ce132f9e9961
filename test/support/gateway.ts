/**
 * A gateway and its stores in the test's own process, over real sockets: for tests whose store is a
 * few lines of the test.
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { Agent, request } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pino } from "pino";
import { stringify } from "yaml";
import {
  createAuthority,
  type Issued,
  issueClientCertificate,
  issueServerCertificate,
} from "../../gateway/certificates/certificates.ts";
import { type GatewayConfig, parseGatewayConfig } from "../../gateway/config.ts";
import { type RunningGateway, startGateway } from "../../gateway/main.ts";
import { type ServedStore, type Store, serveStore } from "../../stores/sdk/sdk.ts";
import { eventually } from "./eventually.ts";

/** What is started. */
export interface GatewayOptions {
  /** By the names that the gateway gives them. */
  readonly stores: Readonly<Record<string, Store>>;
  /** RBAC manifests, YAML. Undefined: only members of system:masters may do anything. */
  readonly rbac?: string;
  /** Default: a minute. */
  readonly bookmarkEveryMs?: number;
  /** Whether resources whose store lies are served no longer. Default: no. */
  readonly quarantine?: boolean;
  /** What copies may hold, in bytes. Default: the gateway's own. */
  readonly cache?: Partial<GatewayConfig["cache"]>;
}

/** An answer, read whole. */
export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly text: string;
  /** The body as JSON. @throws SyntaxError */
  json(): Record<string, unknown> & { readonly metadata?: Record<string, unknown>; readonly message?: string };
}

/** How a request is made. */
export interface AskOptions {
  readonly method?: string;
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
  /** Default: the admin, of system:masters. Others have no group but system:authenticated. */
  readonly user?: string;
  /** Ends the request; what came so far is the answer. */
  readonly signal?: AbortSignal;
  /** Called with each piece of the body. */
  readonly onText?: (text: string) => void;
}

/** A gateway that runs. */
export interface TestGateway {
  readonly url: string;
  readonly running: RunningGateway;
  readonly folder: string;
  /** PEM. */
  readonly ca: string;
  /** What was logged, a JSON text a line. */
  readonly logged: readonly string[];
  /** Ends a store: the gateway finds nobody there any more. */
  stopStore(name: string): Promise<void>;
  /** Serves another store under a name, in place of the one before. */
  replace(name: string, store: Store): Promise<void>;
  kubeconfig(user?: string): Promise<string>;
  /** The pair of a user's client certificate, PEM. */
  pairOf(user?: string): Promise<Issued>;
  ask(path: string, options?: AskOptions): Promise<Answer>;
  stop(): Promise<void>;
}

/** Starts a gateway, and waits until it has heard from each store. */
export async function startTestGateway(options: GatewayOptions): Promise<TestGateway> {
  const folder = mkdtempSync(join(tmpdir(), "annex-gateway-"));
  const file = (name: string, text: string) => {
    writeFileSync(join(folder, name), text, { mode: 0o600 });
    return join(folder, name);
  };
  const authority = await createAuthority("test-ca");
  const serving = await issueServerCertificate(authority, { names: ["localhost"], ips: ["127.0.0.1"] });
  const served = new Map<string, ServedStore>();
  const socketOf = (name: string) => `unix:${join(folder, `${name}.sock`)}`;
  const serve = async (name: string, store: Store) => {
    served.set(name, await serveStore(store, { listen: socketOf(name), log: () => {} }));
  };
  for (const [name, store] of Object.entries(options.stores)) await serve(name, store);
  const document = {
    apiVersion: "gateway.annex.dev/v1alpha1",
    kind: "GatewayConfiguration",
    listen: {
      host: "127.0.0.1",
      port: 0,
      certFile: file("tls.crt", serving.cert),
      keyFile: file("tls.key", serving.key),
    },
    authentication: { clientCAFile: file("ca.crt", authority.cert) },
    authorization: options.rbac === undefined ? {} : { rbacFiles: [file("rbac.yaml", options.rbac)] },
    cache: options.cache ?? {},
    shutdown: { deadlineSeconds: 5 },
    stores: Object.keys(options.stores).map((name) => ({
      ...{ name, address: socketOf(name) },
      quarantine: options.quarantine ?? false,
    })),
  };
  const logged: string[] = [];
  const log = pino({ level: "debug" }, { write: (line: string) => logged.push(line) });
  const { bookmarkEveryMs } = options;
  const running = await startGateway(parseGatewayConfig(stringify(document), join(folder, "gateway.yaml")), {
    ...(bookmarkEveryMs === undefined ? {} : { bookmarkEveryMs }),
    log,
  });
  await eventually(() => running.stores().every((store) => store.state === "ready"), "every store is ready");
  const pairs = new Map<string, Promise<Issued>>();
  const pairOf = (user = "admin") => {
    const groups = user === "admin" ? ["system:masters"] : [];
    const pair = pairs.get(user) ?? issueClientCertificate(authority, { name: user, groups });
    pairs.set(user, pair);
    return pair;
  };
  const agents = new Map<string, Agent>();
  const agentOf = async (user = "admin") => {
    const { cert, key } = await pairOf(user);
    const agent = agents.get(user) ?? new Agent({ ca: authority.cert, cert, key, keepAlive: true });
    agents.set(user, agent);
    return agent;
  };
  return {
    url: running.url,
    running,
    folder,
    ca: authority.cert,
    logged,
    pairOf,
    stopStore: async (name) => await served.get(name)?.stop(),
    async replace(name, store) {
      await served.get(name)?.stop();
      await serve(name, store);
    },
    async kubeconfig(user = "admin") {
      return file(`kubeconfig-${user}`, stringify(kubeconfigFor(running.url, authority, await pairOf(user))));
    },
    async ask(path, ask = {}) {
      const { method = "GET", body, headers = {}, signal, onText } = ask;
      const agent = await agentOf(ask.user);
      const sent = body === undefined || typeof body === "string" ? body : JSON.stringify(body);
      const type = sent === undefined ? {} : { "content-type": "application/json" };
      return await new Promise<Answer>((resolve, reject) => {
        const outgoing = request(
          `${running.url}${path}`,
          { agent, method, headers: { ...type, ...headers } },
          (reply) => {
            let text = "";
            reply.setEncoding("utf8").on("data", (piece: string) => {
              text += piece;
              onText?.(piece);
            });
            const done = () =>
              resolve({ status: reply.statusCode ?? 0, headers: reply.headers, text, json: () => JSON.parse(text) });
            reply.once("end", done);
            signal?.addEventListener("abort", () => {
              done();
              outgoing.destroy();
            });
          },
        );
        outgoing.once("error", reject);
        outgoing.end(sent);
      });
    },
    async stop() {
      for (const agent of agents.values()) agent.destroy();
      await running.drain();
      for (const store of served.values()) await store.stop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

function kubeconfigFor(url: string, authority: Issued, pair: Issued): unknown {
  const base64 = (text: string) => Buffer.from(text).toString("base64");
  return {
    apiVersion: "v1",
    kind: "Config",
    clusters: [{ name: "test", cluster: { server: url, "certificate-authority-data": base64(authority.cert) } }],
    users: [
      {
        name: "test",
        user: { "client-certificate-data": base64(pair.cert), "client-key-data": base64(pair.key) },
      },
    ],
    contexts: [{ name: "test", context: { cluster: "test", user: "test", namespace: "default" } }],
    "current-context": "test",
  };
}
