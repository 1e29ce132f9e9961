/**
 * Annex answers as kube-apiserver does, request for request.
 *
 * `DIFFERENTIAL_SEED` asks for another run; without it each run of the same checkout asks the same.
 */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { writeDefinitions } from "./definitions.ts";
import { createRandom } from "./random.ts";
import { compareAll, livePlayer } from "./run.ts";
import { allRealScenarios, ownScenarios } from "./scenarios.ts";
import { startAnnex, startKube } from "./sides.ts";
import { addTo, classesOf, createTally, describe, errorRows, faultsOf, impossibleRows } from "./tally.ts";

const realData = process.env["ANNEX_REAL_DATA"];
const seed = Number(process.env["DIFFERENTIAL_SEED"] ?? 1);
/** With the real data; without it there are fewer. */
const leastRequests = 40_000;
const leastOfEachRow = 20;
/** Classes of what differs that are shown whole. */
const shown = 20;

test("every answer is kube-apiserver's", { timeout: 1_800_000 }, async (t: TestContext) => {
  const folder = mkdtempSync(join(tmpdir(), "annex-differential-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const definitions = writeDefinitions(folder, realData);
  t.diagnostic(
    `${definitions.files.length} definitions, ${definitions.strippedRules} x-kubernetes-validations stripped`,
  );
  const kube = await startKube(definitions);
  t.after(() => kube.stop());
  const annex = await startAnnex(definitions);
  t.after(() => annex.stop());

  const random = createRandom(seed);
  const own = ownScenarios(random);
  const real = realData === undefined ? [] : allRealScenarios(random, realData);
  if (realData === undefined) t.diagnostic("ANNEX_REAL_DATA is not set: only our own definitions are compared");
  const tally = createTally();
  const since = performance.now();
  await compareAll([...own, ...real], livePlayer(kube), livePlayer(annex), (compared) => addTo(tally, compared));
  const seconds = ((performance.now() - since) / 1000).toFixed(0);

  t.diagnostic(`seed ${seed}: ${tally.requests} requests to ${kube.name} and ${annex.name} in ${seconds} s`);
  for (const [family, count] of [...tally.families].sort(([a], [b]) => (a < b ? -1 : 1)))
    t.diagnostic(`  ${family}: ${count}`);
  for (const row of errorRows) t.diagnostic(`  ${row}: ${tally.rows.get(row) ?? 0} times`);
  for (const [row, why] of Object.entries(impossibleRows)) t.diagnostic(`  ${row}: never, ${why}`);
  for (const [name, count] of tally.known) t.diagnostic(`  known difference "${name}": ${count} requests`);
  for (const { title, count, example } of classesOf(tally).slice(0, shown))
    t.diagnostic(`${count} × ${title}\n${describe(example)}`);

  assert.deepEqual(faultsOf(tally), []);
  if (realData !== undefined) assert.ok(tally.requests >= leastRequests, `${tally.requests} requests are too few`);
  const rare = errorRows.filter((row) => (tally.rows.get(row) ?? 0) < leastOfEachRow);
  assert.deepEqual(rare, [], "rows of errors that were hit too seldom");
});
