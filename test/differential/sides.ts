/**
 * The two servers that are compared, as processes of this machine: kube-apiserver and Annex, with the
 * same definitions.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "yaml";
import { issueClientCertificate } from "../../gateway/certificates/certificates.ts";
import { startCluster } from "../e2e/cluster/cluster.ts";
import { startDev } from "../support/dev.ts";
import { type Credentials, createServer, type Server } from "./client.ts";
import type { Definitions } from "./definitions.ts";

/** A server that scenarios are played on. */
export interface Side {
  /** `kube-apiserver v1.36.3`, `annex`. */
  readonly name: string;
  readonly server: Server;
  /** Makes what a scenario finds there: its namespace. */
  prepare(id: string): Promise<void>;
  stop(): Promise<void>;
}

const servedTimeoutMs = 60_000;

/** Starts a control plane and waits until it serves the definitions. */
export async function startKube(definitions: Definitions): Promise<Side> {
  const cluster = await startCluster({ controllerManager: false });
  const { ca, admin } = cluster.pki;
  const server = createServer(cluster.url, await credentials(ca, admin.cert, admin.key));
  const create = async (path: string, body: unknown) => {
    const headers = { "content-type": "application/json" };
    const told = await server.ask({ method: "POST", path, headers, body: JSON.stringify(body), as: "admin" });
    if (told.status !== 201) throw new Error(`POST ${path}: ${told.status} ${told.body}`);
  };
  const side: Side = {
    name: `kube-apiserver ${cluster.version}`,
    server,
    prepare: async (id) => await create("/api/v1/namespaces", { metadata: { name: id } }),
    async stop() {
      server.close();
      await cluster.stop();
    },
  };
  try {
    const found = definitions.files.map((file) => parse(readFileSync(file, "utf8")));
    for (const definition of found) await create("/apis/apiextensions.k8s.io/v1/customresourcedefinitions", definition);
    for (const path of servedPaths(found)) await untilServed(server, path);
    await untilDescribed(server, found);
  } catch (error) {
    await side.stop();
    throw error;
  }
  return side;
}

/** Starts `annex dev` over its default store. */
export async function startAnnex(definitions: Definitions): Promise<Side> {
  const dev = await startDev({ crds: definitions.files, args: ["--log-level", "error"] });
  const pki = (name: string) => join(dev.data, "pki", name);
  const server = createServer(dev.url, await credentials(pki("ca.crt"), pki("admin.crt"), pki("admin.key")));
  for (const path of servedPaths(definitions.files.map((file) => parse(readFileSync(file, "utf8")))))
    await untilServed(server, `${path}?watch=true`);
  return {
    name: "annex",
    server,
    prepare: async () => {},
    async stop() {
      server.close();
      const code = await dev.stop();
      if (code !== 0) throw new Error(`annex dev ended with ${code}:\n${dev.stderr()}`);
    },
  };
}

/** A certificate without rights is issued by the authority, whose key lies beside its certificate. */
async function credentials(ca: string, cert: string, key: string): Promise<Credentials> {
  const authority = {
    cert: readFileSync(ca, "utf8"),
    key: readFileSync(ca.replace(/\.crt$/, ".key"), "utf8"),
  };
  return {
    ca: authority.cert,
    admin: { cert: readFileSync(cert), key: readFileSync(key) },
    stranger: await issueClientCertificate(authority, { name: "stranger", groups: ["strangers"] }),
  };
}

interface Definition {
  readonly spec: {
    readonly group: string;
    readonly names: { readonly plural: string };
    readonly versions: readonly { readonly name: string; readonly served: boolean }[];
  };
}

function servedPaths(definitions: readonly Definition[]): string[] {
  return definitions.flatMap(({ spec }) =>
    spec.versions.filter(({ served }) => served).map(({ name }) => `/apis/${spec.group}/${name}/${spec.names.plural}`),
  );
}

async function untilServed(server: Server, path: string): Promise<void> {
  await until(`${path} to be served`, async () => {
    const stream = await server.open({ method: "GET", path, headers: {}, body: undefined, as: "admin" });
    stream.close();
    return stream.status === 200;
  });
}

/** Discovery and OpenAPI come later than the resources. */
async function untilDescribed(server: Server, definitions: readonly Definition[]): Promise<void> {
  const keys = definitions.flatMap(({ spec }) =>
    spec.versions.filter(({ served }) => served).map(({ name }) => `apis/${spec.group}/${name}`),
  );
  for (const key of new Set(keys)) await untilServed(server, `/openapi/v3/${key}`);
  await until("all to be in OpenAPI v2", async () => {
    const headers = { accept: "application/json" };
    const { body } = await server.ask({ method: "GET", path: "/openapi/v2", headers, body: undefined, as: "admin" });
    return keys.every((key) => body.includes(`"/${key}/`));
  });
}

async function until(what: string, holds: () => Promise<boolean>): Promise<void> {
  for (const end = performance.now() + servedTimeoutMs; performance.now() < end; ) {
    if (await holds()) return;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error(`waited in vain for ${what}`);
}
