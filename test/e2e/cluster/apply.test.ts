/**
 * Field management against Kubernetes' own, which a Go program runs: the same objects, conflicts and
 * managedFields, over generated schemas and writes.
 *
 * `ANNEX_APPLY_RUNS` says how many (default 10,000), `ANNEX_SEED` from where; a failure prints its
 * seed and is shrunk. `ANNEX_RECORD=1` writes the recording that `npm test` goes by.
 */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import fc from "fast-check";
import { digestOf, readRecording, recordedScenarios, writeRecording } from "../../../gateway/apply/recorded.fixture.ts";
import { comparable, type Outcome, runScenario, type Scenario } from "../../../gateway/apply/scenario.fixture.ts";
import { writtenScenarios } from "../../../gateway/apply/scenario-file.fixture.ts";
import { scenarios } from "../../../gateway/apply/scenarios.arbitrary.fixture.ts";
import { kubernetesVersion, missingGo } from "./binaries.ts";
import { type GoFieldManager, startFieldManager } from "./field-manager.ts";
import { buildGoProgram } from "./go-program.ts";

const numRuns = Number(process.env["ANNEX_APPLY_RUNS"] ?? 10_000);
const seed = process.env["ANNEX_SEED"];
const missing = await missingGo();
const skip = missing === undefined ? false : missing;

let folder = "";
let go: GoFieldManager | undefined;

before(async () => {
  if (missing !== undefined) return;
  folder = mkdtempSync(join(tmpdir(), "annex-apply-"));
  go = startFieldManager(await buildGoProgram("fieldmanager", folder));
});

after(() => {
  go?.close();
  if (folder !== "") rmSync(folder, { recursive: true });
});

test(`field management is Kubernetes' own over ${numRuns} sequences of writes`, {
  skip,
  timeout: 3_600_000,
}, async () => {
  const counts = { steps: 0, applied: 0, conflicts: 0, refused: 0 };
  await fc.assert(
    fc.asyncProperty(scenarios, async (scenario) => {
      const ours = await runScenario(scenario);
      let theirs = await (go as GoFieldManager).run(scenario);
      // Kubernetes reads the clock: where a second begins in between, a list of managers may be capped otherwise.
      // And of several versions that an object doesn't fit it tells one or the other.
      for (let times = 1; times < 5 && !isSame(ours, theirs); times++)
        theirs = await (go as GoFieldManager).run(scenario);
      count(counts, scenario, theirs);
      assert.deepEqual(ours.map(comparable), theirs.map(comparable));
    }),
    { numRuns, ...(seed === undefined ? {} : { seed: Number(seed) }) },
  );
  console.log(JSON.stringify(counts));
});

test("scenarios as people write them come to what Kubernetes makes of them", { skip }, async () => {
  for (const { name, scenario } of writtenScenarios()) {
    const theirs = await (go as GoFieldManager).run(scenario);
    assert.deepEqual((await runScenario(scenario)).map(comparable), theirs.map(comparable), name);
  }
});

test("the recording is what Kubernetes makes of the recorded scenarios", { skip, timeout: 3_600_000 }, async () => {
  const digests: string[] = [];
  for (const scenario of recordedScenarios()) digests.push(digestOf(await (go as GoFieldManager).run(scenario)));
  if (process.env["ANNEX_RECORD"] === "1") writeRecording(kubernetesVersion(), digests);
  assert.deepEqual(digests, readRecording());
});

function count(counts: Record<string, number>, { steps }: Scenario, outcomes: readonly Outcome[]): void {
  const add = (key: string) => {
    counts[key] = (counts[key] ?? 0) + 1;
  };
  for (const [index, outcome] of outcomes.entries()) {
    add("steps");
    if ("object" in outcome) {
      if (steps[index]?.verb === "apply") add("applied");
    } else add(outcome.status["code"] === 409 ? "conflicts" : "refused");
  }
}

function isSame(ours: readonly Outcome[], theirs: readonly Outcome[]): boolean {
  try {
    assert.deepEqual(ours.map(comparable), theirs.map(comparable));
    return true;
  } catch {
    // What deepEqual throws is that they differ.
    return false;
  }
}
