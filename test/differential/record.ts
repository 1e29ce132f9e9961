/**
 * kube-apiserver's answers in a file, so that they are compared where it can't run.
 *
 * One JSON document, brotli: the version that answered, and by each scenario's own word its answers.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { brotliCompressSync, brotliDecompressSync, constants } from "node:zlib";
import { root } from "../support/checkout.ts";
import { createRandom } from "./random.ts";
import { idOf, type Player } from "./run.ts";
import type { Scenario } from "./scenario.ts";
import { ownScenarios } from "./scenarios.ts";
import type { Seen } from "./seen.ts";

/** The one that is kept. */
export const recordingFile = join(root, "test/differential/recorded.br");
/** Its seed, and which part of the scenarios it holds: the gate has no minutes to spare. */
const recordedSeed = 1;
const oneInSo = 5;

/** Answers that were given once. */
export interface Recording {
  /** `kube-apiserver v1.36.3`. */
  readonly by: string;
  readonly answers: Readonly<Record<string, readonly Seen[]>>;
}

/**
 * The scenarios whose answers are kept: over our own definitions only, as no text of another project may
 * be. Which ones hangs on what each asks, so that others come and go without them; a family of which
 * none would be kept is kept whole.
 */
export function scenariosToRecord(): Scenario[] {
  const isDrawn = (scenario: Scenario) => Number.parseInt(idOf(scenario).slice(1, 9), 16) % oneInSo === 0;
  const all = ownScenarios(createRandom(recordedSeed));
  const families = new Set(all.filter(isDrawn).map(({ family }) => family));
  return all.filter((scenario) => scenario.family === "planted" || !families.has(scenario.family) || isDrawn(scenario));
}

/** Those that a recording holds. */
export function recordedScenarios({ answers }: Recording): Scenario[] {
  return scenariosToRecord().filter((scenario) => Object.hasOwn(answers, idOf(scenario)));
}

/** A player that hands on, and keeps. */
export function recordingPlayer(player: Player): { play: Player; recording(by: string): Recording } {
  const answers: Record<string, readonly Seen[]> = {};
  return {
    async play(scenario, like) {
      const given = await player(scenario, like);
      answers[idOf(scenario)] = given;
      return given;
    },
    recording: (by) => ({ by, answers }),
  };
}

/** Answers as recorded. @throws Error from play for a scenario that wasn't recorded as it is. */
export function recordedPlayer(recording: Recording): Player {
  return async (scenario: Scenario) => {
    const given = recording.answers[idOf(scenario)];
    if (given !== undefined) return given;
    throw new Error(
      `a scenario of ${scenario.family} is not as it was recorded: ${scenario.steps.map(({ path }) => path).join(", ")}`,
    );
  };
}

/** @throws Error if the file is no recording. */
export function readRecording(file: string): Recording {
  return JSON.parse(brotliDecompressSync(readFileSync(file)).toString("utf8"));
}

/** Sorted, so that the same answers are the same file. */
export function writeRecording(file: string, { by, answers }: Recording): void {
  const sorted = Object.fromEntries(Object.entries(answers).sort(([a], [b]) => (a < b ? -1 : 1)));
  const text = Buffer.from(JSON.stringify({ by, answers: sorted }));
  const params = {
    [constants.BROTLI_PARAM_QUALITY]: 9,
    [constants.BROTLI_PARAM_LGWIN]: 24,
    [constants.BROTLI_PARAM_SIZE_HINT]: text.length,
  };
  writeFileSync(file, brotliCompressSync(text, { params }));
}
