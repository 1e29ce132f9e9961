/**
 * All scenarios that a seed gives.
 */
import type { Random } from "./random.ts";
import type { Scenario } from "./scenario.ts";
import { answerScenarios } from "./scenarios/answers.ts";
import { applyScenarios } from "./scenarios/applies.ts";
import { allBodyScenarios } from "./scenarios/bodies.ts";
import { deleteScenarios } from "./scenarios/deletes.ts";
import { feedScenarios } from "./scenarios/feeds.ts";
import { listScenarios } from "./scenarios/lists.ts";
import { managerScenarios, realManagerScenarios } from "./scenarios/managers.ts";
import { mixedScenarios } from "./scenarios/mixed.ts";
import { patchScenarios } from "./scenarios/patches.ts";
import { realScenarios } from "./scenarios/real.ts";
import { subresourceScenarios } from "./scenarios/subresources.ts";
import { watchScenarios } from "./scenarios/watches.ts";
import { writeScenarios } from "./scenarios/writes.ts";
import { plantedFaults } from "./tampering.ts";

/** Of chance; the others are what they are. */
const mixed = 300;
const managed = 350;
const fed = 250;
/** For each object. */
const realManaged = 2;

/** Those over our own definitions. */
export function ownScenarios(random: Random): Scenario[] {
  return [
    ...listScenarios(),
    ...writeScenarios(),
    ...patchScenarios(),
    ...applyScenarios(),
    ...allBodyScenarios(),
    ...subresourceScenarios(),
    ...deleteScenarios(),
    ...answerScenarios(),
    ...watchScenarios(),
    ...mixedScenarios(random, mixed),
    ...managerScenarios(random, managed),
    // Last of those of chance: the others stay as they were recorded.
    ...feedScenarios(random, fed),
    ...plantedFaults.map(({ scenario }) => scenario),
  ];
}

/** Those over the objects of other projects. @param realData where the projects lie. */
export function allRealScenarios(random: Random, realData: string): Scenario[] {
  return [...realScenarios(random, realData), ...realManagerScenarios(random, realData, realManaged)];
}
