/**
 * Brings columns to what they cost from then on, before anything is counted.
 *
 * V8 compiles what has run often, not long: a process of Node's that is asked for one object again and again needs some 190
 * µs for each at first and 90 from the 12,000th on, whether that takes a second or a minute. So a warm-up is a number
 * of requests, as many for each process that answers them; code that was compiled before it ran needs a tenth of
 * that, for its caches. All columns are asked at once: here nobody looks at what they cost.
 */
import type { Column } from "./columns.ts";
import type { AskedFor, Load } from "./load/load.ts";

/** As many requests as a process needs, of those that cost about as little as a get, and of those that cost a core a millisecond or more. */
export const warmUpTimes = { small: 12_000, large: 1_500 };
/** Of that number, what a column of Go's is asked. */
const shareOfGo = 0.1;

/** Asks each as many times as it needs. `times` is meant for one process of Node's. */
export async function warmUp(
  load: Load,
  columns: readonly Column[],
  { times, ...asked }: Omit<AskedFor, "target" | "until"> & { readonly times: number },
): Promise<void> {
  await Promise.all(
    columns.map(async ({ target, compiling }) => {
      const operations = Math.ceil(times * (compiling || shareOfGo));
      await load.request({ target, ...asked, until: { operations } });
    }),
  );
}
