/** A pause that whoever ends the work ends too. */
import { setTimeout } from "node:timers/promises";

/** Waits so many ms, or until the signal is aborted, which is no error. */
export async function pause(ms: number, signal: AbortSignal): Promise<void> {
  // Only an abort can reject it.
  await setTimeout(ms, undefined, { signal }).catch(() => {});
}
