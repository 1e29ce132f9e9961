import assert from "node:assert/strict";
import { test } from "node:test";
import { mutants, tryMutant, zooPromises } from "./zoo.ts";

// The whole zoo is `npm run test:contract`; here those that are caught at once, one of each file.
const quick = ["missing-as-internal", "dangling-ref", "epoch-per-call", "counter-per-replica"];

test("mutants have names of their own, and break promises that there are", () => {
  assert.ok(mutants.length >= 25, `${mutants.length} mutants`);
  assert.equal(new Set(mutants.map((mutant) => mutant.name)).size, mutants.length);
  const names = new Set(zooPromises.map((promise) => promise.name));
  for (const { name, breaks } of mutants) {
    assert.ok(breaks.length > 0, name);
    for (const broken of breaks) assert.ok(names.has(broken), `${name} breaks ${broken}, which is no promise`);
  }
});

for (const name of quick) {
  test(`the certifier catches ${name} by a promise that it breaks`, async () => {
    const mutant = mutants.find((one) => one.name === name);
    assert.ok(mutant);
    const { caughtBy, isRight, seen } = await tryMutant(mutant);
    assert.ok(isRight, `caught by ${caughtBy}: ${seen}`);
  });
}
