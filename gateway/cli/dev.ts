/**
 * `annex dev`: the local loop. An authority and certificates, the embedded store as a child process,
 * the gateway in this one, and a kubeconfig for whoever owns the folder.
 *
 * A store that dies is started again; its clients see 503 with Retry-After meanwhile. An end stops in
 * this order: the gateway drains, then the store, so that what is in flight can still be written.
 */
import { chmodSync, existsSync, mkdirSync, readFileSync } from "node:fs";
import { isIP } from "node:net";
import { join, resolve } from "node:path";
import { stringify } from "yaml";
import { systemMasters } from "../apimachinery/user.ts";
import {
  createAuthority,
  type Issued,
  isFresh,
  issueClientCertificate,
  issueServerCertificate,
  writePrivate,
} from "../certificates/certificates.ts";
import { type GatewayConfig, parseGatewayConfig } from "../config.ts";
import { type RunningGateway, startGateway } from "../main.ts";
import { createLogger } from "./logger.ts";
import { sentenceFor } from "./sentence.ts";
import { aborted, stopSignal } from "./signals.ts";
import { type StoreChild, StoreStartError, startStore } from "./store-child.ts";
import { limitYoungGeneration } from "./young-generation.ts";

/** The flags of `annex dev`. */
export interface DevFlags {
  readonly host: string;
  readonly port: number;
  readonly data: string;
  readonly crds: readonly string[];
  readonly store: "sqlite" | "memory";
  readonly http2: boolean;
  readonly logLevel: string;
}

/** Certificates that expire sooner are issued anew: nobody's week of work ends in an expired one. */
const renewBeforeMs = 7 * 24 * 3600 * 1000;
/** How long the store may take until what it serves is known: hundreds of definitions are compiled. */
const serveTimeoutMs = 60_000;
const servePollMs = 20;

/** Runs until a signal. @returns the exit code. */
export async function dev(flags: DevFlags): Promise<number> {
  const say = (line: string) => process.stdout.write(`${line}\n`);
  const complain = (line: string) => process.stderr.write(`annex dev: ${line}\n`);
  const stop = stopSignal();
  const folder = resolve(flags.data);
  let child: StoreChild | undefined;
  let running: RunningGateway | undefined;
  try {
    const files = await prepareFolder(folder, flags.host);
    const passOn = (line: string) => process.stderr.write(`${line}\n`);
    child = await startStore({ store: flags.store, folder, crds: flags.crds, complain, passOn, signal: stop });
    limitYoungGeneration();
    running = await startGateway(devConfig(flags, files, child.address), { log: createLogger(flags.logLevel) });
    const kubeconfig = join(folder, "kubeconfig");
    writePrivate(kubeconfig, kubeconfigFor(reachableUrl(running.url), files));
    await untilServed(running, stop);
    if (!stop.aborted) {
      say(`store ${flags.store} at ${child.address}, process ${child.pid()}`);
      report(running, kubeconfig, folder, say);
    }
    await aborted(stop);
    return 0;
  } catch (error) {
    // Told to stop while starting: that is no failure.
    if (stop.aborted) return 0;
    if (error instanceof StoreStartError && error.exitCode === 2) process.stderr.write(`${error.message}\n`);
    else complain(sentenceFor(error));
    return error instanceof StoreStartError ? error.exitCode : 1;
  } finally {
    await running?.drain();
    await child?.stop();
  }
}

interface DevFiles {
  readonly caFile: string;
  readonly certFile: string;
  readonly keyFile: string;
  readonly authority: Issued;
  readonly admin: Issued;
}

async function prepareFolder(folder: string, host: string): Promise<DevFiles> {
  try {
    return await preparePki(join(folder, "pki"), host);
  } catch (error) {
    throw new Error(`the data folder ${folder} can't be used: ${(error as Error).message}`, { cause: error });
  }
}

async function preparePki(pki: string, host: string): Promise<DevFiles> {
  mkdirSync(pki, { recursive: true, mode: 0o700 });
  chmodSync(pki, 0o700);
  const now = new Date();
  const known = readPair(pki, "ca");
  const authority =
    known !== undefined && isFresh(known, known, renewBeforeMs, now)
      ? known
      : writePair(pki, "ca", await createAuthority("annex-dev-ca"));
  const kept = async (name: string, issue: () => Promise<Issued>) => {
    const found = readPair(pki, name);
    if (found !== undefined && isFresh(found, authority, renewBeforeMs, now)) return found;
    return writePair(pki, name, await issue());
  };
  const isAddress = isIP(host) !== 0;
  // A pair for each host, so that a run with another one doesn't undo this one's.
  const server = host === "127.0.0.1" ? "server" : `server-${host.replaceAll(/[^A-Za-z0-9.-]/g, "-")}`;
  await kept(server, () =>
    issueServerCertificate(authority, {
      names: ["localhost", ...(isAddress ? [] : [host])],
      ips: ["127.0.0.1", "::1", ...(isAddress ? [host] : [])],
    }),
  );
  const admin = await kept("admin", () =>
    issueClientCertificate(authority, { name: "annex-admin", groups: [systemMasters] }),
  );
  return {
    caFile: join(pki, "ca.crt"),
    certFile: join(pki, `${server}.crt`),
    keyFile: join(pki, `${server}.key`),
    authority,
    admin,
  };
}

function readPair(folder: string, name: string): Issued | undefined {
  const cert = join(folder, `${name}.crt`);
  const key = join(folder, `${name}.key`);
  if (!existsSync(cert) || !existsSync(key)) return undefined;
  return { cert: readFileSync(cert, "utf8"), key: readFileSync(key, "utf8") };
}

function writePair(folder: string, name: string, pair: Issued): Issued {
  writePrivate(join(folder, `${name}.key`), pair.key);
  writePrivate(join(folder, `${name}.crt`), pair.cert);
  return pair;
}

function devConfig(flags: DevFlags, files: DevFiles, storeAddress: string): GatewayConfig {
  const document = {
    apiVersion: "gateway.annex.dev/v1alpha1",
    kind: "GatewayConfiguration",
    listen: {
      host: flags.host,
      port: flags.port,
      http2: flags.http2,
      certFile: files.certFile,
      keyFile: files.keyFile,
    },
    authentication: { clientCAFile: files.caFile },
    // The local loop ends when its owner wants it to.
    shutdown: { deadlineSeconds: 10 },
    stores: [{ name: flags.store, address: storeAddress, protocol: "connect" }],
  };
  return parseGatewayConfig(stringify(document), join(resolve(flags.data), "dev.yaml"));
}

function kubeconfigFor(url: string, files: DevFiles): string {
  const base64 = (text: string) => Buffer.from(text).toString("base64");
  return stringify({
    apiVersion: "v1",
    kind: "Config",
    clusters: [{ name: "annex", cluster: { server: url, "certificate-authority-data": base64(files.authority.cert) } }],
    users: [
      {
        name: "annex-admin",
        user: {
          "client-certificate-data": base64(files.admin.cert),
          "client-key-data": base64(files.admin.key),
        },
      },
    ],
    contexts: [{ name: "annex", context: { cluster: "annex", user: "annex-admin", namespace: "default" } }],
    "current-context": "annex",
  });
}

/** Every interface is listened on: this machine reaches it by its loopback address. */
function reachableUrl(url: string): string {
  return url.replace("//0.0.0.0:", "//127.0.0.1:").replace("//[::]:", "//[::1]:");
}

async function untilServed(running: RunningGateway, stop: AbortSignal): Promise<void> {
  const until = performance.now() + serveTimeoutMs;
  while (!stop.aborted && running.stores().some((store) => store.state === "connecting")) {
    if (performance.now() > until) {
      throw new Error(`the store did not say what it serves: ${running.stores()[0]?.message || "no answer"}`);
    }
    await new Promise<void>((done) => setTimeout(done, servePollMs));
  }
}

function report(running: RunningGateway, kubeconfig: string, folder: string, say: (line: string) => void): void {
  const served = running.served();
  say(`listening on ${running.url}, data in ${folder}`);
  const groups = new Map<string, string[]>();
  for (const { group, kind, versions } of served) {
    groups.set(group, [...(groups.get(group) ?? []), `${kind} (${versions.join(", ")})`]);
  }
  for (const [group, kinds] of groups) say(`  ${group}: ${kinds.join(", ")}`);
  for (const { resource, reason } of running.stores().flatMap((store) => store.refused)) {
    say(`  refused ${resource}: ${reason}`);
  }
  const first = served[0];
  if (first !== undefined) say(`try: kubectl --kubeconfig ${kubeconfig} get ${first.plural}.${first.group} -A`);
  say(`ready ${running.url} with ${served.length} resources`);
}
