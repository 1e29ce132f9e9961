/**
 * Annex answers as kube-apiserver did when its answers were recorded: what can be compared without Go.
 *
 * A seed is part of the recording, so its scenarios are those that are played here. Rewritten by
 * `npm run differential:record`.
 */
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, type TestContext, test } from "node:test";
import { root } from "../support/checkout.ts";
import { writeDefinitions } from "./definitions.ts";
import { knownDifferences } from "./differences.ts";
import { createRandom } from "./random.ts";
import { readRecording, recordedPlayer, recordedScenarios, recordingFile } from "./record.ts";
import { compareAll, livePlayer } from "./run.ts";
import { ownScenarios } from "./scenarios.ts";
import { type Side, startAnnex } from "./sides.ts";
import { addTo, classesOf, createTally, describe as describeRequest, faultsOf } from "./tally.ts";
import { plantedFaults, tampering } from "./tampering.ts";

const leastRequests = 6_000;

describe("recorded answers of kube-apiserver", () => {
  let folder: string;
  let annex: Side;
  const recording = readRecording(recordingFile);
  before(async () => {
    folder = mkdtempSync(join(tmpdir(), "annex-recorded-"));
    annex = await startAnnex(writeDefinitions(folder, undefined));
  });
  after(async () => {
    await annex.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  test("are Annex's too", async (t: TestContext) => {
    const tally = createTally();
    await compareAll(recordedScenarios(recording), recordedPlayer(recording), livePlayer(annex), (compared) =>
      addTo(tally, compared),
    );
    t.diagnostic(`${tally.requests} answers of ${recording.by}`);
    // What is asked differently than it was recorded isn't compared, until it is recorded again.
    assert.ok(tally.requests >= leastRequests, `${tally.requests} recorded requests are too few`);
    for (const { title, count, example } of classesOf(tally))
      t.diagnostic(`${count} × ${title}\n${describeRequest(example)}`);
    assert.deepEqual(faultsOf(tally, { isWhole: false }), []);
  });

  test("are of every family", () => {
    const all = new Set(ownScenarios(createRandom(1)).map(({ family }) => family));
    const kept = new Set(recordedScenarios(recording).map(({ family }) => family));
    assert.deepEqual(
      [...all].filter((family) => !kept.has(family)),
      [],
    );
  });

  test("the README shows each known difference with its reason", () => {
    const readme = readFileSync(join(root, "test/differential/README.md"), "utf8").replaceAll(/\s+/g, " ");
    for (const { name, reason } of knownDifferences) assert.ok(readme.includes(`| ${name} | ${reason} |`), name);
  });

  for (const { name, scenario, spoil } of plantedFaults) {
    // Without the fault it is one of those above.
    test(`a planted fault is found: ${name}`, async () => {
      const spoiled = { ...annex, server: tampering(annex.server, spoil) };
      const tally = createTally();
      await compareAll([scenario], recordedPlayer(recording), livePlayer(spoiled), (compared) =>
        addTo(tally, compared),
      );
      assert.notDeepEqual(faultsOf(tally, { isWhole: false }), []);
    });
  }
});
