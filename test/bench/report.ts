/** The figures of a run, for people as one table and for machines as JSON. */
import { execFileSync, type StdioOptions } from "node:child_process";
import { arch, cpus, release, totalmem } from "node:os";
import { gatewayVersion } from "../../gateway/version.ts";
import { etcdVersion, kubernetesVersion } from "../e2e/cluster/binaries.ts";
import { root } from "../support/checkout.ts";
import { type Figure, missed } from "./row.ts";

/** One row's outcome. */
export interface Outcome {
  readonly row: string;
  readonly about: string;
  readonly figures: readonly Figure[];
  /** What was not measured, and why. */
  readonly skipped: readonly string[];
  /** Why it has no figures, if it failed. */
  readonly failure?: string;
  /** How long it took. */
  readonly seconds: number;
}

/** Where figures come from: they are worth nothing without. */
export interface Machine {
  readonly cpu: string;
  readonly cores: number;
  readonly memoryGiB: number;
  readonly kernel: string;
  readonly node: string;
  readonly sqlite: string | undefined;
  /** Of what it is compared with. */
  readonly kubernetes: string;
  readonly etcd: string;
  readonly annex: string;
  /** Undefined where there is no git. */
  readonly commit: string | undefined;
  readonly at: string;
}

/** Describes this machine, and what runs on it. */
export function thisMachine(now: Date): Machine {
  const [first] = cpus();
  return {
    cpu: first?.model.trim() ?? "unknown",
    cores: cpus().length,
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    kernel: `${process.platform} ${release()} ${arch()}`,
    node: process.versions.node,
    sqlite: process.versions.sqlite,
    kubernetes: kubernetesVersion(),
    etcd: etcdVersion(),
    annex: gatewayVersion,
    commit: commit(),
    at: now.toISOString(),
  };
}

function commit(): string | undefined {
  try {
    // Without git, or outside of a repository, stderr would tell it to whoever reads the table.
    const stdio: StdioOptions = ["ignore", "pipe", "ignore"];
    return execFileSync("git", ["describe", "--always", "--dirty"], { cwd: root, encoding: "utf8", stdio }).trim();
  } catch {
    return undefined;
  }
}

/** Formats a machine as one line. */
export function formatMachine(machine: Machine): string {
  const { cpu, cores, memoryGiB, kernel, node, sqlite, kubernetes, etcd, annex, commit, at } = machine;
  const own = `Node ${node}, SQLite ${sqlite}, annex ${annex} (${commit ?? "no git"})`;
  return `${cores} × ${cpu}, ${memoryGiB} GiB, ${kernel}, ${own}; Kubernetes ${kubernetes}, etcd ${etcd}; ${at}`;
}

/** Formats the figures as one table. Columns that no figure fills are left out. */
export function formatTable(outcomes: readonly Outcome[]): string {
  const heads = [
    "row",
    "figure",
    "annex",
    "unit",
    "limit",
    "peer",
    "crd",
    "limit ÷ annex",
    "peer ÷ annex",
    "crd ÷ annex",
    "target",
    "",
  ];
  const lines = outcomes.flatMap(({ row, figures }) => figures.map((figure) => [row, ...cells(figure)]));
  const shown = heads.flatMap((head, column) => (lines.some((line) => line[column] !== "") ? [{ head, column }] : []));
  const widths = shown.map(({ head, column }) =>
    Math.max(head.length, ...lines.map((line) => (line[column] ?? "").length)),
  );
  const format = (texts: readonly string[]) =>
    texts
      .map((text, index) => text.padEnd(widths[index] as number))
      .join("  ")
      .trimEnd();
  return [
    format(shown.map(({ head }) => head)),
    format(widths.map((width) => "-".repeat(width))),
    ...lines.map((line) => format(shown.map(({ column }) => line[column] ?? ""))),
  ].join("\n");
}

function cells(figure: Figure): readonly string[] {
  const { what, annex, unit, limit, peer, crd, target } = figure;
  const shown = (value: number | undefined) => (value === undefined ? "" : number(value));
  const ratio = (other: number | undefined) => shown(other && other / annex);
  const faults = missed(figure);
  return [
    what,
    number(annex),
    unit,
    shown(limit),
    shown(peer),
    shown(crd),
    ratio(limit),
    ratio(peer),
    ratio(crd),
    targetText(target),
    target === undefined ? "" : faults.length === 0 ? "ok" : `MISSED: ${faults.join(", ")}`,
  ];
}

function targetText(target: Figure["target"]): string {
  const { atMost, limitRatio, peerRatio } = target ?? {};
  return [
    ...(atMost === undefined ? [] : [`≤ ${number(atMost)}`]),
    ...(limitRatio === undefined ? [] : [`limit ≥ ${number(limitRatio)}`]),
    ...(peerRatio === undefined ? [] : [`peer ≥ ${number(peerRatio)}`]),
  ].join(", ");
}

/** Three digits that mean something. */
function number(value: number): string {
  return Math.abs(value) >= 100 ? value.toFixed(0) : String(Number(value.toPrecision(3)));
}
