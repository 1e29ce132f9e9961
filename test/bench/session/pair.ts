/** A store and one who calls it, a process each: what one transport costs is the CPU of the two. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import {
  createAuthority,
  issueClientCertificate,
  issueServerCertificate,
  writePrivate,
} from "../../../gateway/certificates/certificates.ts";
import { cpuSeconds } from "../process-costs.ts";
import type { Done, Work } from "./caller.ts";

/** How calls are made. */
export type Way = "session" | "grpc" | "connect";

/** A store and one who calls it, a process each. */
export interface Pair {
  run(work: Work): Promise<Done>;
  /** Gives the CPU that both spent for one of the calls, in µs. */
  cpuOf(work: Work): Promise<number>;
  stop(): Promise<void>;
}

/** Flags for the Node of both sides, such as `--cpu-prof`. */
const nodeFlags = (process.env["BENCH_NODE_FLAGS"] ?? "").split(" ").filter((flag) => flag !== "");

/** Files of both sides, PEM. */
export interface TlsFiles {
  readonly ca: string;
  readonly server: { readonly cert: string; readonly key: string };
  readonly client: { readonly cert: string; readonly key: string };
}

/** Makes an authority and a pair for each side. */
export async function issueTls(folder: string): Promise<TlsFiles> {
  const authority = await createAuthority("bench-ca");
  const ca = join(folder, "ca.crt");
  writeFileSync(ca, authority.cert);
  const write = (name: string, pair: { cert: string; key: string }) => {
    const files = { cert: join(folder, `${name}.crt`), key: join(folder, `${name}.key`) };
    writeFileSync(files.cert, pair.cert);
    writePrivate(files.key, pair.key);
    return files;
  };
  return {
    ca,
    server: write("server", await issueServerCertificate(authority, { names: ["localhost"], ips: ["127.0.0.1"] })),
    client: write("client", await issueClientCertificate(authority, { name: "bench", groups: [] })),
  };
}

/** Starts both. `socket`: where the store listens, unless it is over TLS. */
export async function startPair(by: Way, socket: string, tls: TlsFiles | undefined): Promise<Pair> {
  const listen =
    tls === undefined
      ? ["--listen", `unix:${socket}`]
      : ["--listen", "127.0.0.1:0", "--tls-ca", tls.ca, "--tls-cert", tls.server.cert, "--tls-key", tls.server.key];
  const store = startProcess("store", listen);
  const [address] = await once(createInterface({ input: store.stdout as Readable }), "line");
  const caller = startProcess("caller", [
    by,
    String(address),
    ...(tls === undefined ? [] : [tls.ca, tls.client.cert, tls.client.key]),
  ]);
  const ended = once(caller, "close").then(() => {
    throw new Error(`the caller by ${by} ended with ${caller.exitCode}`);
  });
  // Whether anybody waits for it or not.
  ended.catch(() => {});
  const run = async (work: Work): Promise<Done> => {
    const done = once(caller, "message");
    caller.send(work);
    const [value] = await Promise.race([done, ended]);
    return value as Done;
  };
  return {
    run,
    async cpuOf(work) {
      const pids = [store.pid as number, caller.pid as number];
      const spent = cpuSeconds(pids);
      await run(work);
      return ((cpuSeconds(pids) - spent) / work.calls) * 1e6;
    },
    async stop() {
      for (const child of [caller, store]) {
        const closed = once(child, "close");
        child.kill("SIGTERM");
        await closed;
      }
    },
  };
}

/** By the channel a process ends with us, even if we are killed. */
function startProcess(name: string, args: readonly string[]): ChildProcess {
  const file = new URL(`./${name}.ts`, import.meta.url).pathname;
  return spawn(process.execPath, [...nodeFlags, file, ...args], { stdio: ["ignore", "pipe", "inherit", "ipc"] });
}
