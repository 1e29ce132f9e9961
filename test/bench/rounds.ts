/** Measurements that are compared, in rounds: what disturbs a machine disturbs all of them. */

/** Measures each in turn, for some rounds. Gives one figure of each. */
export async function alternating<K extends string>(
  count: number,
  figureOf: (values: readonly number[]) => number,
  measures: Readonly<Record<K, () => Promise<number>>>,
): Promise<Record<K, number>> {
  const names = Object.keys(measures) as K[];
  const seen = new Map(names.map((name) => [name, [] as number[]]));
  for (let round = 0; round < count; round++) {
    for (const name of names) seen.get(name)?.push(await measures[name]());
  }
  return Object.fromEntries(names.map((name) => [name, figureOf(seen.get(name) ?? [])])) as Record<K, number>;
}

/** The middle one; of an even number the upper of the two. */
export function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1] ?? 0;
}

/** What Annex, a raw server, the peer and a CRD in kube-apiserver have each; those that aren't there are left out. */
export interface Beside<T> {
  readonly annex: T;
  readonly limit?: T;
  readonly peer?: T;
  readonly crd?: T;
}

/** Gives those that are there. */
export function beside<T>(
  all: { readonly [name in keyof Beside<T>]: T | undefined } & { readonly annex: T },
): Beside<T> {
  return mapped(all as Beside<T>, (one) => one);
}

/** Measures each that is there in turn, for some rounds. */
export async function inRounds<T, R>(
  count: number,
  subjects: Beside<T>,
  measure: (subject: T) => Promise<R>,
): Promise<Beside<readonly R[]>> {
  const seen = mapped(subjects, (): R[] => []);
  for (let round = 0; round < count; round++) {
    for (const name of ["annex", "limit", "peer", "crd"] as const) {
      const subject = subjects[name];
      if (subject !== undefined) seen[name]?.push(await measure(subject));
    }
  }
  return seen;
}

/** Gives the middle of what each was measured, as the fields of a figure. */
export function medians<R>(seen: Beside<readonly R[]>, pick: (one: R) => number): Beside<number> {
  return mapped(seen, (ones) => median(ones.map(pick)));
}

function mapped<T, R>({ annex, limit, peer, crd }: Beside<T>, change: (one: T) => R): Beside<R> {
  return {
    annex: change(annex),
    ...(limit === undefined ? {} : { limit: change(limit) }),
    ...(peer === undefined ? {} : { peer: change(peer) }),
    ...(crd === undefined ? {} : { crd: change(crd) }),
  };
}
