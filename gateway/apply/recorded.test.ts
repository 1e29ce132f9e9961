import assert from "node:assert/strict";
import { test } from "node:test";
import { digestOf, readRecording, recordedScenarios } from "./recorded.fixture.ts";
import { runScenario } from "./scenario.fixture.ts";

test("applyPatch() and trackUpdate() make of generated scenarios what Kubernetes was recorded to make", () => {
  const recorded = readRecording();
  const scenarios = recordedScenarios();
  assert.equal(scenarios.length, recorded.length);
  const different = scenarios.flatMap((scenario, index) =>
    digestOf(runScenario(scenario)) === recorded[index] ? [] : [index],
  );
  assert.deepEqual(
    different,
    [],
    "indexes of scenarios with another outcome; `npm run test:cluster -- apply` shows them",
  );
});
