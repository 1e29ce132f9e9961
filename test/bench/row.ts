/** What a row of the bench is, what it is given, and what it gives. */
import type { Columns } from "./columns.ts";

/** One figure. All values of it are in `unit`. */
export interface Figure {
  readonly what: string;
  readonly unit: string;
  readonly annex: number;
  /** What a raw server that returns the same bytes needs, measured in the same run. */
  readonly limit?: number;
  /** What another implementation needs, measured in the same run. */
  readonly peer?: number;
  /** What a CustomResourceDefinition in kube-apiserver needs, measured in the same run. No target is set by it. */
  readonly crd?: number;
  readonly target?: Target;
}

/** What must hold; the bench fails if it doesn't. */
export interface Target {
  /** Of `annex` itself. */
  readonly atMost?: number;
  /** Of `limit / annex`. */
  readonly limitRatio?: number;
  /** Of `peer / annex`. */
  readonly peerRatio?: number;
}

/** Says why a row, or a part of it, was not measured. */
export type Skip = (why: string) => void;

/** What a row is given. */
export interface Bench {
  readonly skip: Skip;
  /** For what is no figure; it may have to be made. */
  readonly outFolder: string;
  /**
   * Gives what stands side by side in the table, whose control plane is the same for all rows of a run.
   *
   * @param has.fresh whether nobody may have asked these servers anything before. Else they, and their objects, may
   * be those of the row before. Default: false.
   */
  columns(has?: { readonly fresh: boolean }): Promise<Columns>;
}

/** One measurement: a file under `rows/`. */
export interface Row {
  /** As it is named on the command line. */
  readonly name: string;
  readonly about: string;
  /** Takes many minutes: run only if it is asked for. */
  readonly isByNameOnly?: true;
  run(bench: Bench): Promise<readonly Figure[]>;
}

/** Gives the targets that a figure misses, in words. */
export function missed({ annex, limit, peer, target = {} }: Figure): readonly string[] {
  const misses: string[] = [];
  if (target.atMost !== undefined && !(annex <= target.atMost)) misses.push(`more than ${target.atMost}`);
  for (const [name, other, wanted] of [
    ["limit", limit, target.limitRatio],
    ["peer", peer, target.peerRatio],
  ] as const) {
    if (wanted === undefined || other === undefined) continue;
    if (!(other / annex >= wanted)) misses.push(`${name} ÷ annex below ${Number(wanted.toPrecision(3))}`);
  }
  return misses;
}
