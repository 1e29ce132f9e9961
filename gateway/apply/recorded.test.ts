import assert from "node:assert/strict";
import { test } from "node:test";
import { digestOf, readRecording, recordedScenarios } from "./recorded.fixture.ts";
import { runScenario } from "./scenario.fixture.ts";

test("applyPatch() and trackUpdate() make of generated scenarios what Kubernetes was recorded to make", async () => {
  const recorded = readRecording();
  const scenarios = recordedScenarios();
  assert.equal(scenarios.length, recorded.length);
  const different: number[] = [];
  for (const [index, scenario] of scenarios.entries())
    if (digestOf(await runScenario(scenario)) !== recorded[index]) different.push(index);
  assert.deepEqual(
    different,
    [],
    "indexes of scenarios with another outcome; `npm run test:cluster -- apply` shows them",
  );
});
