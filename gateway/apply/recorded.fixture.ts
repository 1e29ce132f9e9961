/**
 * What Kubernetes' field manager made of generated scenarios, as a digest of each: the file is written by
 * `ANNEX_RECORD=1 npm run test:cluster -- apply`, which also shows a difference in full.
 *
 * The scenarios themselves come from the seed, so another version of fast-check needs another recording.
 */
import { createHash } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import fc from "fast-check";
import { comparable, type Outcome, type Scenario } from "./scenario.fixture.ts";
import { scenarios } from "./scenarios.arbitrary.fixture.ts";

const file = new URL("../../test/fixtures/apply-outcomes.txt", import.meta.url);
const seed = 20260102;
const count = 1000;

/** Gives the scenarios that the file is about. */
export function recordedScenarios(): Scenario[] {
  return fc.sample(scenarios, { seed, numRuns: count });
}

/** Gives the digest of a scenario's outcomes. */
export function digestOf(outcomes: readonly Outcome[]): string {
  return createHash("sha256")
    .update(JSON.stringify(outcomes.map(comparable).map(sorted)))
    .digest("hex")
    .slice(0, 16);
}

/** Reads the digests, in the order of the scenarios. */
export function readRecording(): string[] {
  return readFileSync(file, "utf8")
    .split("\n")
    .filter((line) => line !== "" && !line.startsWith("#"));
}

/** Writes the digests of what Kubernetes made of the scenarios. */
export function writeRecording(kubernetes: string, digests: readonly string[]): void {
  const head = `# Kubernetes ${kubernetes}: what its field manager made of generated scenarios, a digest of each.`;
  writeFileSync(file, [head, ...digests, ""].join("\n"));
}

/** Keys in one order: what a digest is of must not depend on who wrote it. */
function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, inner]) => [key, sorted(inner)]),
  );
}
