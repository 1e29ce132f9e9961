import assert from "node:assert/strict";
import { test } from "node:test";
import { runScenario } from "./scenario.fixture.ts";
import { written, writtenScenarios } from "./scenario-file.fixture.ts";

for (const { name, scenario, errors, object, owners } of writtenScenarios()) {
  test(`applyPatch(), trackUpdate(): ${name}`, async () => {
    const found = written(await runScenario(scenario));
    const plain = (value: unknown) => JSON.parse(JSON.stringify(value)) as unknown;
    assert.deepEqual(plain(found), plain({ errors, object, owners }));
  });
}
