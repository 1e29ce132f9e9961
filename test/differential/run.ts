/**
 * Plays scenarios on two players, some at a time, and compares every answer.
 */
import { createHash } from "node:crypto";
import { compare, type Difference } from "./compare.ts";
import { play } from "./play.ts";
import type { Scenario, Step } from "./scenario.ts";
import type { Seen } from "./seen.ts";
import type { Side } from "./sides.ts";

/** Gives the answers to a scenario, one for each step. `like`: the other's. */
export type Player = (scenario: Scenario, like?: readonly Seen[]) => Promise<readonly Seen[]>;

/** One request with both answers. */
export interface Compared {
  readonly scenario: Scenario;
  readonly step: Step;
  readonly expected: Seen;
  readonly found: Seen;
  readonly differences: readonly Difference[];
}

/** As many as keep two servers and us busy on two cores; scenarios with watches mostly wait. */
const inFlight = 16;
const watchesInFlight = 48;

/** Plays on a server that runs. */
export function livePlayer(side: Side): Player {
  return async (scenario, like) => {
    const id = idOf(scenario);
    await side.prepare(id);
    return await play(side.server, { scenario, id, ...(like === undefined ? {} : { like }) });
  };
}

/** A scenario's own word: the same in every run, so that recorded answers hold it. */
export function idOf(scenario: Scenario): string {
  return `d${createHash("sha256").update(JSON.stringify(scenario)).digest("hex").slice(0, 12)}`;
}

/** Plays all on both, the first first. The same scenario twice is played once. */
export async function compareAll(
  scenarios: readonly Scenario[],
  first: Player,
  second: Player,
  onDone: (compared: readonly Compared[]) => void,
): Promise<void> {
  const one = async (scenario: Scenario) => {
    const expected = await first(scenario);
    const found = await second(scenario, expected);
    onDone(
      scenario.steps.map((step, index) => {
        const [a, b] = [expected[index], found[index]];
        if (a === undefined || b === undefined) throw new Error(`step ${index} of ${idOf(scenario)} has no answer`);
        return { scenario, step, expected: a, found: b, differences: compare(a, b) };
      }),
    );
  };
  const different = [...new Map(scenarios.map((scenario) => [idOf(scenario), scenario])).values()];
  const isWaiting = (scenario: Scenario) => scenario.steps.some(({ watch }) => watch);
  await Promise.all([
    workThrough(different.filter(isWaiting), watchesInFlight, one),
    workThrough(
      different.filter((scenario) => !isWaiting(scenario)),
      inFlight,
      one,
    ),
  ]);
}

async function workThrough<T>(items: readonly T[], workers: number, work: (item: T) => Promise<void>): Promise<void> {
  const left = [...items];
  const worker = async () => {
    for (let item = left.shift(); item !== undefined; item = left.shift()) await work(item);
  };
  await Promise.all(Array.from({ length: workers }, worker));
}
