/**
 * Asks a store for its head on behalf of all who want to know at the same time.
 *
 * The rule that always holds: an answer is given only to those who asked before its call began, so
 * every write that was acknowledged before somebody asked is in what they get. One call is under way
 * at a time; whoever comes meanwhile shares the next one.
 */
import type { Head } from "../registry/registry.ts";

/** Gives the head as of no earlier than now. @throws what the call throws. */
export type AskHead = () => Promise<Head>;

/** Shares the calls of `ask`. */
export function createSharedHead(ask: () => Promise<Head>): AskHead {
  let next: Promise<Head> | undefined;
  let last: Promise<unknown> = Promise.resolve();
  return () => {
    if (next !== undefined) return next;
    const call = last.then(() => {
      next = undefined;
      return ask();
    });
    next = call;
    last = call.catch(() => {});
    return call;
  };
}
