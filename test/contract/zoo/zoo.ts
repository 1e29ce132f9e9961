/**
 * The bug zoo: the certifier catches each mutant, by a promise that it breaks, and passes the honest
 * stores. A certifier that doesn't is worth nothing.
 */

import { serveInProcess } from "../in-process.testing.ts";
import type { ContractPromise } from "../promise.ts";
import { promises } from "../promises.ts";
import { type CertifyReport, certify } from "../run.ts";
import { actionMutants } from "./actions.ts";
import type { Mutant } from "./mutant.ts";
import { readMutants } from "./reads.ts";
import { sessionMutants } from "./sessions.ts";
import { watchMutants } from "./watches.ts";
import { writeMutants } from "./writes.ts";

/** Every mutant; names are unique. */
export const mutants: readonly Mutant[] = [
  ...writeMutants,
  ...readMutants,
  ...sessionMutants,
  ...actionMutants,
  ...watchMutants,
];
/** What is checked in process: chaos needs a process that can be killed. */
export const zooPromises: readonly ContractPromise[] = promises.filter(({ level }) => level !== "chaos");

/** How it went with one mutant. */
export interface Catch {
  readonly mutant: Mutant;
  /** The first promise that it broke. Undefined: it got through. */
  readonly caughtBy: string | undefined;
  readonly seen: string;
  readonly tookMs: number;
  /** Whether that is a promise that it is declared to break. */
  readonly isRight: boolean;
}

/** Certifies a mutant up to the first promise that is broken. */
export async function tryMutant(mutant: Mutant): Promise<Catch> {
  const since = performance.now();
  const { results } = await certifyInProcess(mutant.make());
  const broken = results.find((result) => result.outcome === "broken");
  const caughtBy = broken?.promise.name;
  return {
    mutant,
    caughtBy,
    seen: broken?.seen ?? "",
    tookMs: performance.now() - since,
    isRight: caughtBy !== undefined && mutant.breaks.includes(caughtBy),
  };
}

/** Certifies endpoints that are served here, up to the first promise that is broken. */
export async function certifyInProcess(endpoints: ReturnType<Mutant["make"]>): Promise<CertifyReport> {
  const served = await serveInProcess(endpoints);
  try {
    return await certify({
      addresses: served.addresses,
      connect: served.connect,
      promises: zooPromises,
      stopAtFirst: true,
    });
  } finally {
    await served.stop();
  }
}
