/** The figures of a run, for people as one table and for machines as JSON. */
import { execFileSync, type StdioOptions } from "node:child_process";
import { arch, cpus, release, totalmem } from "node:os";
import { gatewayVersion } from "../../gateway/version.ts";
import { root } from "../support/checkout.ts";
import { type Figure, missed } from "./row.ts";

/** One row's outcome. */
export interface Outcome {
  readonly row: string;
  readonly about: string;
  readonly figures: readonly Figure[];
  /** What was not measured, and why. */
  readonly skipped: readonly string[];
}

/** Where figures come from: they are worth nothing without. */
export interface Machine {
  readonly cpu: string;
  readonly cores: number;
  readonly memoryGiB: number;
  readonly kernel: string;
  readonly node: string;
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
  const { cpu, cores, memoryGiB, kernel, node, annex, commit, at } = machine;
  return `${cores} × ${cpu}, ${memoryGiB} GiB, ${kernel}, Node ${node}, annex ${annex} (${commit ?? "no git"}), ${at}`;
}

/** Formats the figures as one table. Columns that no figure fills are left out. */
export function formatTable(outcomes: readonly Outcome[]): string {
  const heads = ["row", "figure", "annex", "unit", "limit", "peer", "limit ÷ annex", "peer ÷ annex", "target", ""];
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
  const { what, annex, unit, limit, peer, target } = figure;
  const ratio = (other: number | undefined) => (other === undefined ? "" : number(other / annex));
  const faults = missed(figure);
  return [
    what,
    number(annex),
    unit,
    limit === undefined ? "" : number(limit),
    peer === undefined ? "" : number(peer),
    ratio(limit),
    ratio(peer),
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
