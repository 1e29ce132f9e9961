/** What a row of the bench is, and what it gives. */

/** One figure. All values of it are in `unit`. */
export interface Figure {
  readonly what: string;
  readonly unit: string;
  readonly annex: number;
  /** What a raw server that returns the same bytes needs, measured in the same run. */
  readonly limit?: number;
  /** What another implementation needs, measured in the same run. */
  readonly peer?: number;
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

/** One measurement: a file under `rows/`. */
export interface Row {
  /** As it is named on the command line. */
  readonly name: string;
  readonly about: string;
  /** Takes many minutes: run only if it is asked for. */
  readonly isByNameOnly?: true;
  /** `outFolder` is for what is no figure; it may have to be made. */
  run(skip: Skip, outFolder: string): Promise<readonly Figure[]>;
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
