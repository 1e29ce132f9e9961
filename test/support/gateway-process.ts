/** `annex gateway` as a process in front of given stores, with an administrator's kubeconfig. */
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { stringify } from "yaml";
import {
  createAuthority,
  type Issued,
  issueClientCertificate,
  issueServerCertificate,
  writePrivate,
} from "../../gateway/certificates/certificates.ts";
import { annexBin } from "./checkout.ts";
import { runKubectl } from "./kubectl.ts";

/** What is started. */
export interface GatewayProcessOptions {
  /** As in the document: name, address (or addresses), and what is not by default. */
  readonly stores: readonly { readonly name: string; readonly [field: string]: unknown }[];
  /** Resources that must be served before the test begins, `notes.example.com`. */
  readonly serves: readonly string[];
  /** More sections of the document. */
  readonly config?: object;
  /** The bin; default: the checkout's. */
  readonly annex?: string;
  readonly env?: NodeJS.ProcessEnv;
}

/** A gateway that serves. */
export interface GatewayProcess {
  readonly url: string;
  readonly kubeconfig: string;
  readonly pid: number;
  /** Where its configuration, `gateway.yaml`, and its certificates lie: `tls.crt`, `tls.key`. */
  readonly folder: string;
  /** Who issued them. */
  readonly authority: Issued;
  /** What it wrote to stderr, a line each. */
  readonly log: readonly string[];
  /** Resolves with the exit code, however it ends. */
  readonly ended: Promise<number>;
  /** SIGTERM, and waits. @returns the exit code. */
  stop(): Promise<number>;
  /** SIGTERM, waits, and starts it again on the same port: `pid` and `ended` are then another's. */
  restart(): Promise<void>;
}

/** A store may be compiling its tables on a busy machine. */
const servedTimeoutMs = 30_000;
const pollMs = 100;

/** Starts a gateway and waits until it serves. @throws Error with what it said. */
export async function startGatewayProcess(options: GatewayProcessOptions): Promise<GatewayProcess> {
  const folder = mkdtempSync(join(tmpdir(), "annex-gateway-"));
  const file = (name: string, text: string) => {
    writePrivate(join(folder, name), text);
    return join(folder, name);
  };
  const authority = await createAuthority("test-ca");
  const server = await issueServerCertificate(authority, { names: ["localhost"], ips: ["127.0.0.1"] });
  const admin = await issueClientCertificate(authority, { name: "admin", groups: ["system:masters"] });
  const certificates = { certFile: file("tls.crt", server.cert), keyFile: file("tls.key", server.key) };
  const clientCAFile = file("ca.crt", authority.cert);
  const writeConfig = (port: number) =>
    file(
      "gateway.yaml",
      stringify({
        apiVersion: "gateway.annex.dev/v1alpha1",
        kind: "GatewayConfiguration",
        listen: { host: "127.0.0.1", port, ...certificates },
        authentication: { clientCAFile },
        shutdown: { deadlineSeconds: 5 },
        stores: options.stores,
        ...options.config,
      }),
    );
  const log: string[] = [];
  const launch = (port: number) => {
    const args = [options.annex ?? annexBin, "gateway", "--config", writeConfig(port)];
    const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "pipe"], env: options.env ?? process.env });
    createInterface({ input: child.stderr }).on("line", (line) => log.push(line));
    const ended = new Promise<number>((resolve) => child.once("close", (code) => resolve(code ?? 1)));
    const line = new Promise<string>((resolve) => createInterface({ input: child.stdout }).once("line", resolve));
    const url = Promise.race([line, ended.then(String)]).then((said) => {
      const found = /^ready (\S+)$/.exec(said)?.[1];
      if (found === undefined) throw new Error("it is not ready");
      return found;
    });
    return { child, ended, url };
  };
  let current = launch(0);
  async function end(): Promise<number> {
    current.child.kill("SIGTERM");
    return await current.ended;
  }
  async function stop(): Promise<number> {
    const code = await end();
    rmSync(folder, { recursive: true, force: true });
    return code;
  }
  try {
    const url = await current.url;
    const kubeconfig = join(folder, "kubeconfig");
    writeFileSync(kubeconfig, kubeconfigFor(url, authority.cert, admin));
    await untilServed(kubeconfig, options.serves);
    return {
      ...{ url, kubeconfig, folder, authority, log, stop },
      get pid() {
        return current.child.pid ?? 0;
      },
      get ended() {
        return current.ended;
      },
      async restart() {
        await end();
        current = launch(Number(new URL(url).port));
        await current.url;
      },
    };
  } catch (error) {
    await stop();
    throw new Error(`annex gateway: ${(error as Error).message}\n${log.join("\n")}`, { cause: error });
  }
}

async function untilServed(kubeconfig: string, wanted: readonly string[]): Promise<void> {
  const until = performance.now() + servedTimeoutMs;
  for (;;) {
    const { stdout } = await runKubectl(["api-resources", "-o", "name", "--cached=false"], { kubeconfig });
    const served = stdout.split("\n");
    const missing = wanted.filter((name) => !served.includes(name));
    if (missing.length === 0) return;
    if (performance.now() > until) throw new Error(`${missing.join(", ")} is not served`);
    await new Promise<void>((resolve) => setTimeout(resolve, pollMs));
  }
}

function kubeconfigFor(url: string, ca: string, admin: { readonly cert: string; readonly key: string }): string {
  const base64 = (text: string) => Buffer.from(text).toString("base64");
  const user = { "client-certificate-data": base64(admin.cert), "client-key-data": base64(admin.key) };
  return stringify({
    apiVersion: "v1",
    kind: "Config",
    clusters: [{ name: "annex", cluster: { server: url, "certificate-authority-data": base64(ca) } }],
    users: [{ name: "admin", user }],
    contexts: [{ name: "annex", context: { cluster: "annex", user: "admin", namespace: "default" } }],
    "current-context": "annex",
  });
}
