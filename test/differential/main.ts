/**
 * `npm run differential`: compares by hand.
 *
 * Flags: `--seed N`; `--family NAME` (repeatable) plays only those; `--against FILE` compares with
 * recorded answers instead of a kube-apiserver; `--record FILE` keeps kube-apiserver's; `--recorded`
 * plays what the repository's own recording holds, and with `--record` writes it; `--show N` classes of differences (default 30).
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { writeDefinitions } from "./definitions.ts";
import { createRandom } from "./random.ts";
import {
  readRecording,
  recordedPlayer,
  recordedScenarios,
  recordingPlayer,
  scenariosToRecord,
  writeRecording,
} from "./record.ts";
import { compareAll, livePlayer, type Player } from "./run.ts";
import type { Scenario } from "./scenario.ts";
import { allRealScenarios, ownScenarios } from "./scenarios.ts";
import { type Side, startAnnex, startKube } from "./sides.ts";
import { addTo, classesOf, createTally, describe, faultsOf, type Tally } from "./tally.ts";

const { values } = parseArgs({
  options: {
    seed: { type: "string", default: "1" },
    family: { type: "string", multiple: true, default: [] },
    against: { type: "string" },
    record: { type: "string" },
    recorded: { type: "boolean", default: false },
    show: { type: "string", default: "30" },
  },
});
process.exitCode = await main();

async function main(): Promise<number> {
  const folder = mkdtempSync(join(tmpdir(), "annex-differential-"));
  const sides: Side[] = [];
  try {
    const realData = process.env["ANNEX_REAL_DATA"];
    const definitions = writeDefinitions(folder, realData);
    const random = createRandom(Number(values.seed));
    const all = values.recorded
      ? partRecorded()
      : [...ownScenarios(random), ...(realData === undefined ? [] : allRealScenarios(random, realData))];
    const scenarios = all.filter(({ family }) => values.family.length === 0 || values.family.includes(family));
    console.log(`seed ${values.seed}, ${scenarios.length} scenarios, ${definitions.strippedRules} rules stripped`);
    let first: Player;
    let by: string;
    let since = performance.now();
    const lap = () => {
      const s = ((performance.now() - since) / 1000).toFixed(1);
      since = performance.now();
      return `${s} s`;
    };
    if (values.against === undefined) {
      const kube = await startKube(definitions);
      sides.push(kube);
      [first, by] = [livePlayer(kube), kube.name];
    } else {
      const recording = readRecording(values.against);
      [first, by] = [recordedPlayer(recording), recording.by];
    }
    const annex = await startAnnex(definitions);
    sides.push(annex);
    console.log(`${by} and ${annex.name} run after ${lap()}`);
    const tally = createTally();
    const recorder = recordingPlayer(first);
    process.on("SIGUSR2", () => show(tally));
    const playing = new Set<Scenario>();
    const follow =
      (player: Player): Player =>
      async (scenario, like) => {
        playing.add(scenario);
        const answers = await player(scenario, like);
        playing.delete(scenario);
        return answers;
      };
    const report = setInterval(() => {
      const some = [...playing]
        .slice(0, 3)
        .map(({ steps }) => steps.find(({ watch }) => watch)?.path ?? steps[0]?.path);
      console.log(`${tally.requests} requests, ${tally.unexplained.length} differ; in flight ${playing.size}: ${some}`);
    }, 15_000);
    try {
      await compareAll(scenarios, follow(recorder.play), follow(livePlayer(annex)), (compared) =>
        addTo(tally, compared),
      );
    } finally {
      clearInterval(report);
      if (values.record !== undefined) writeRecording(values.record, recorder.recording(by));
    }
    console.log(JSON.stringify(Object.fromEntries(tally.families)));
    console.log(`${tally.requests} requests in ${lap()}; rows: ${JSON.stringify(Object.fromEntries(tally.rows))}`);
    show(tally);
    const faults = faultsOf(tally);
    console.log(faults.join("; ") || "no faults");
    return faults.length === 0 ? 0 : 1;
  } finally {
    for (const side of sides.reverse()) await side.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

function show(tally: Tally): void {
  const classes = classesOf(tally);
  for (const { title, count, example } of classes.slice(0, Number(values.show)))
    console.log(`${count} × ${title}\n${describe(example)}`);
  console.log(`${classes.length} classes, ${JSON.stringify(Object.fromEntries(tally.known))}`);
}

/** All that is to be recorded, or what the given recording holds of it. */
function partRecorded(): Scenario[] {
  return values.against === undefined ? scenariosToRecord() : recordedScenarios(readRecording(values.against));
}
