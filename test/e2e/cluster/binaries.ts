/**
 * Kubernetes' own programs, built from Go modules by the go.mod beside this file, and kept.
 *
 * What go.mod says names the folder that keeps them, so another release is another folder. Go keeps
 * its own cache too: a folder that is gone is filled again in seconds.
 */
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, renameSync } from "node:fs";
import { join } from "node:path";
import { root } from "../../support/checkout.ts";
import { run } from "../../support/run.ts";

/** The programs, by the name that they are kept under, and the package of each. */
const packages = {
  etcd: "go.etcd.io/etcd/server/v3",
  "kube-apiserver": "k8s.io/kubernetes/cmd/kube-apiserver",
  "kube-controller-manager": "k8s.io/kubernetes/cmd/kube-controller-manager",
  "sample-apiserver": "k8s.io/sample-apiserver",
} as const;

/** A program that can be built here. */
export type BinaryName = keyof typeof packages;

/** Where the programs are. */
export interface Binaries {
  /** Kubernetes' version, `v1.36.3`. */
  readonly version: string;
  readonly folder: string;
  path(name: BinaryName): string;
}

/** What a control plane needs. */
export const controlPlane: readonly BinaryName[] = ["etcd", "kube-apiserver", "kube-controller-manager"];

const module = join(root, "test/e2e/cluster");
/** Cold, one program takes two minutes on two cores that do nothing else; here they may. */
const buildTimeoutMs = 30 * 60_000;

/** Tells why nothing can be built here, or undefined if it can. */
export async function missingGo(): Promise<string | undefined> {
  try {
    const { code } = await run("go", ["version"]);
    return code === 0 ? undefined : "`go version` fails";
  } catch {
    // What run throws is that it can't be started.
    return "there is no Go on the PATH";
  }
}

/**
 * Builds what isn't there yet, one after the other, and gives all.
 *
 * @param say takes a line for each program that was built, and one in the end: how long it took.
 * @throws Error with what Go said.
 */
export async function buildBinaries(
  names: readonly BinaryName[] = controlPlane,
  say: (line: string) => void = () => {},
): Promise<Binaries> {
  const text = moduleText();
  const version = kubernetesVersion();
  const hash = createHash("sha256").update(text).digest("hex").slice(0, 12);
  const folder = join(root, ".cache/kubernetes", `${version}-${hash}`);
  mkdirSync(folder, { recursive: true });
  const missing = names.filter((name) => !existsSync(join(folder, name)));
  const since = performance.now();
  for (const name of missing) {
    const start = performance.now();
    await build(name, version, folder);
    say(`${name} built in ${secondsSince(start)} s`);
  }
  const how = missing.length === 0 ? "warm" : `${missing.length} of ${names.length} programs cold`;
  say(`Kubernetes ${version} built in ${secondsSince(since)} s (${how}), in ${folder}`);
  return { version, folder, path: (name) => join(folder, name) };
}

/** Gives Kubernetes' version, `v1.36.3`. */
export function kubernetesVersion(): string {
  return versionOf("k8s.io/kubernetes");
}

/** Gives etcd's version, `v3.6.8`. */
export function etcdVersion(): string {
  return versionOf(packages.etcd);
}

function versionOf(name: string): string {
  const line = moduleText()
    .split("\n")
    .find((text) => text.trim().startsWith(`${name} v`));
  if (line === undefined) throw new Error(`go.mod names no ${name}`);
  return line.trim().split(" ")[1] as string;
}

function moduleText(): string {
  return readFileSync(join(module, "go.mod"), "utf8");
}

async function build(name: BinaryName, version: string, folder: string): Promise<void> {
  // Several processes may build at once: whoever renames last wins, and all are the same.
  const part = join(folder, `.${name}.${process.pid}`);
  const args = ["build", "-trimpath", "-buildvcs=false", "-ldflags", linkerFlags(version), "-o", part, packages[name]];
  const { code, stderr } = await run("go", args, { cwd: module, timeoutMs: buildTimeoutMs });
  if (code !== 0) throw new Error(`${name} can't be built:\n${stderr}`);
  renameSync(part, join(folder, name));
}

function secondsSince(start: number): string {
  return ((performance.now() - start) / 1000).toFixed(1);
}

/** Without these `/version` says v0.0.0-master, and clients believe it. */
function linkerFlags(version: string): string {
  const [, major = "", minor = ""] = /^v(\d+)\.(\d+)\./.exec(version) ?? [];
  const says = { gitVersion: version, gitMajor: major, gitMinor: minor, gitTreeState: "clean" };
  const sets = Object.entries(says).map(([key, value]) => `-X k8s.io/component-base/version.${key}=${value}`);
  return ["-s", "-w", ...sets].join(" ");
}
