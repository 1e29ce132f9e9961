/** How a certification is told: progress lines, a table for people, JUnit and JSON for machines. */
import { levels } from "./promise.ts";
import type { CertifyReport, PromiseResult } from "./run.ts";

const marks = { kept: "✔", broken: "✖", skipped: "-" } as const;

/** One line for one promise. */
export function progressLine({ promise, outcome, tookMs, seen }: PromiseResult, isColoured: boolean): string {
  const paint = (code: number, text: string) => (isColoured ? `\x1b[${code}m${text}\x1b[0m` : text);
  const colour = { kept: 32, broken: 31, skipped: 33 }[outcome];
  const time = `${Math.round(tookMs)} ms`.padStart(8);
  const said = outcome === "skipped" ? `  (${seen})` : "";
  return `${paint(colour, marks[outcome])} ${time}  ${promise.level.padEnd(8)} ${promise.name}${said}`;
}

/** The whole for people: a line for each level, what was skipped and why, what is broken and how it shows. */
export function summary(report: CertifyReport): string {
  const { results } = report;
  const of = (outcome: PromiseResult["outcome"]) => results.filter((result) => result.outcome === outcome);
  const lines = ["", levelTable(results)];
  const skips = of("skipped");
  if (skips.length > 0) {
    lines.push("", `Skipped, ${skips.length}:`);
    const reasons = Map.groupBy(skips, (skip) => skip.seen);
    for (const [reason, of] of reasons)
      lines.push(`  ${reason}`, `    ${of.map((one) => one.promise.name).join(", ")}`);
  }
  for (const { promise, seen, evidence } of of("broken")) {
    lines.push("", `✖ ${promise.name}: ${promise.text}`, `  ${seen}`);
    for (const call of evidence) lines.push(`    ${call}`);
  }
  if (report.left.length > 0)
    lines.push("", `Left behind, ${report.left.length}: ${report.left.slice(0, 5).join(", ")}`);
  const name = `${report.implementation || "the store"} ${report.version}`.trim();
  const seconds = (report.tookMs / 1000).toFixed(1);
  const verdict = of("broken").length === 0 ? "keeps the contract" : "does not keep the contract";
  lines.push(
    "",
    `${name} ${verdict}: ${of("kept").length} promises kept, ${of("broken").length} broken, ${skips.length} skipped, in ${seconds} s`,
  );
  return lines.join("\n");
}

/** A line for each level. */
export function levelTable(results: readonly PromiseResult[]): string {
  const rows = levels.flatMap((level) => {
    const own = results.filter((result) => result.promise.level === level);
    if (own.length === 0) return [];
    const count = (outcome: PromiseResult["outcome"]) => String(own.filter((one) => one.outcome === outcome).length);
    const took = own.reduce((sum, one) => sum + one.tookMs, 0);
    return [
      [level, String(own.length), count("kept"), count("broken"), count("skipped"), `${(took / 1000).toFixed(1)} s`],
    ];
  });
  return markdownTable(["level", "promises", "kept", "broken", "skipped", "took"], rows);
}

/** A table that reads as text and as Markdown. */
export function markdownTable(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = head.map((cell, column) => Math.max(cell.length, ...rows.map((row) => (row[column] ?? "").length)));
  const line = (cells: readonly string[]) => `| ${cells.map((cell, at) => cell.padEnd(widths[at] ?? 0)).join(" | ")} |`;
  return [line(head), `|${widths.map((width) => "-".repeat(width + 2)).join("|")}|`, ...rows.map(line)].join("\n");
}

/** The report as JUnit's XML, a suite for each level. */
export function junitFrom(report: CertifyReport): string {
  const suites = levels.flatMap((level) => {
    const own = report.results.filter((result) => result.promise.level === level);
    if (own.length === 0) return [];
    const count = (outcome: PromiseResult["outcome"]) => own.filter((one) => one.outcome === outcome).length;
    const cases = own.map((result) => {
      const head = `    <testcase classname="annex.contract.${level}" name="${escaped(result.promise.name)}" time="${(result.tookMs / 1000).toFixed(3)}"`;
      if (result.outcome === "kept") return `${head}/>`;
      if (result.outcome === "skipped") return `${head}><skipped message="${escaped(result.seen)}"/></testcase>`;
      const body = escaped([result.promise.text, result.seen, ...result.evidence].join("\n"));
      return `${head}><failure message="${escaped(result.seen)}">${body}</failure></testcase>`;
    });
    return [
      `  <testsuite name="${level}" tests="${own.length}" failures="${count("broken")}" skipped="${count("skipped")}">`,
      ...cases,
      "  </testsuite>",
    ];
  });
  return ['<?xml version="1.0" encoding="UTF-8"?>', "<testsuites>", ...suites, "</testsuites>", ""].join("\n");
}

/** The report as plain values. */
export function jsonFrom(report: CertifyReport): string {
  const { results, ...rest } = report;
  const promises = results.map(({ promise, outcome, tookMs, seen, evidence }) => ({
    name: promise.name,
    level: promise.level,
    text: promise.text,
    outcome,
    tookMs: Math.round(tookMs),
    ...(seen === "" ? {} : { seen }),
    ...(evidence.length === 0 ? {} : { evidence }),
  }));
  return `${JSON.stringify({ ...rest, tookMs: Math.round(report.tookMs), promises }, undefined, 2)}\n`;
}

function escaped(text: string): string {
  const entities: Readonly<Record<string, string>> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" };
  return text
    .replaceAll(/[&<>"]/g, (char) => entities[char] ?? "")
    .replaceAll(/[^\t\n\r\u0020-\ud7ff\ue000-\ufffd]/g, "?");
}
