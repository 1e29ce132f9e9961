/** A gateway under measurement: a process with the probe in it, and its stores, each a process too. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import {
  createAuthority,
  issueClientCertificate,
  issueServerCertificate,
  writePrivate,
} from "../../gateway/certificates/certificates.ts";
import { builtBin } from "../support/checkout.ts";
import { type Client, type ClientOptions, type Credentials, createClient } from "../support/client.ts";
import { withChildren } from "./process-costs.ts";

/** What the event loop did since the last reading, in ms: see probe.js. */
export interface LoopReading {
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
  readonly busyP99: number;
  readonly busyMax: number;
  /** Connections that came in. */
  readonly connections: number;
}

/** What is measured. */
export interface Subject {
  /** Gateway, with its workers if it has any, and stores. */
  pids(): readonly number[];
  /** `https://127.0.0.1:PORT`. */
  readonly url: string;
  /** Where the first store keeps its data. */
  readonly dataDir: string;
  /** What another server needs to be met by the same clients. */
  readonly serving: { readonly certFile: string; readonly keyFile: string; readonly credentials: Credentials };
  client(options?: Pick<ClientOptions, "http2" | "connections">): Client;
  /** Starts another store beside those that are served; the gateway is told as its owner would. */
  addStore(crds: string): Promise<void>;
  /** Starts a gateway that takes the place of the one before, as a rolling update does: that one is the caller's to end. */
  startNext(): Promise<{ endOld(): Promise<void> }>;
  /** Kills every store; none comes back. */
  killStores(): Promise<void>;
  /** What the event loop did since the last call. */
  loop(): Promise<LoopReading>;
  stop(): Promise<void>;
}

const probe = new URL("./probe.js", import.meta.url).href;
/** Flags for the gateway's Node, such as `--cpu-prof`. */
const nodeFlags = (process.env["BENCH_NODE_FLAGS"] ?? "").split(" ").filter((flag) => flag !== "");

/** What is started. */
export interface SubjectOptions {
  /** A file or folder of definitions. */
  readonly crds: string;
  readonly http2?: boolean;
  /** Sections of its configuration that it is given besides; `authentication` is added to. */
  readonly config?: Partial<Record<"authentication" | "authorization" | "cluster" | "shutdown", object>>;
  /** Processes of the gateway, without the probe, which would cost each of them the same. Default: one, with it. */
  readonly workers?: number | undefined;
}

/** Starts a gateway in front of a store that serves the definitions. */
export async function startSubject({ crds, http2 = false, config = {}, workers }: SubjectOptions): Promise<Subject> {
  const folder = mkdtempSync(join(tmpdir(), "annex-bench-"));
  const authority = await createAuthority("bench-ca");
  const serving = await issueServerCertificate(authority, { names: ["localhost"], ips: ["127.0.0.1"] });
  const admin = await issueClientCertificate(authority, { name: "bench", groups: ["system:masters"] });
  writeFileSync(join(folder, "ca.crt"), authority.cert);
  writeFileSync(join(folder, "tls.crt"), serving.cert);
  writePrivate(join(folder, "tls.key"), serving.key);

  const stores: ChildProcess[] = [];
  const addresses: string[] = [];
  const file = join(folder, "gateway.yaml");
  async function startStore(path: string): Promise<void> {
    const address = `unix:${join(folder, `${stores.length}.sock`)}`;
    const data = join(folder, `data-${stores.length}`);
    const child = start([builtBin, "store", "sql", "--listen", address, "--data", data, "--crds", path]);
    await firstLine(child);
    stores.push(child);
    addresses.push(address);
    writeFileSync(file, configFor(addresses, { http2, config, workers }));
  }

  await startStore(crds);
  const probed = workers === undefined ? ["--import", probe] : [];
  async function startGateway(): Promise<{ gateway: ChildProcess; url: string }> {
    const gateway = start([...nodeFlags, ...probed, builtBin, "gateway", "--config", file]);
    const url = /^ready (\S+)$/.exec(await firstLine(gateway))?.[1] ?? "";
    return { gateway, url };
  }
  let { gateway, url } = await startGateway();
  const credentials = { ca: authority.cert, cert: admin.cert, key: admin.key };
  return {
    get url() {
      return url;
    },
    dataDir: join(folder, "data-0"),
    serving: { certFile: join(folder, "tls.crt"), keyFile: join(folder, "tls.key"), credentials },
    pids: () => [...withChildren([gateway.pid as number]), ...stores.map(({ pid }) => pid as number)],
    client: (options = {}) => createClient({ url, credentials, ...options }),
    addStore: startStore,
    async startNext() {
      const old = gateway;
      ({ gateway, url } = await startGateway());
      return { endOld: () => end(old, "SIGTERM") };
    },
    async loop() {
      const reading = once(gateway, "message");
      gateway.send("read the event loop");
      const [value] = await reading;
      return value as LoopReading;
    },
    async killStores() {
      for (const child of stores.splice(0)) await end(child, "SIGKILL");
    },
    async stop() {
      for (const child of [gateway, ...stores]) await end(child, "SIGTERM");
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** By the channel a process ends with us, even if we are killed. */
function start(args: readonly string[]): ChildProcess {
  return spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit", "ipc"] });
}

async function end(child: ChildProcess, signal: "SIGTERM" | "SIGKILL"): Promise<void> {
  const ended = once(child, "close");
  child.kill(signal);
  await ended;
}

async function firstLine(child: ChildProcess): Promise<string> {
  const [line] = await Promise.race([
    once(createInterface({ input: child.stdout as Readable }), "line"),
    once(child, "close").then(() => {
      throw new Error(`${child.spawnargs.slice(1).join(" ")} ended with ${child.exitCode}`);
    }),
  ]);
  return line as string;
}

function configFor(addresses: readonly string[], { http2, config, workers }: Omit<SubjectOptions, "crds">): string {
  // JSON is YAML too.
  return JSON.stringify({
    apiVersion: "gateway.annex.dev/v1alpha1",
    kind: "GatewayConfiguration",
    listen: { host: "127.0.0.1", port: 0, http2, certFile: "tls.crt", keyFile: "tls.key" },
    shutdown: { deadlineSeconds: 1 },
    workers,
    ...config,
    authentication: { clientCAFile: "ca.crt", ...config?.authentication },
    stores: addresses.map((address, index) => ({ name: `s${index}`, address, protocol: "connect" })),
    log: { level: "error" },
  });
}
