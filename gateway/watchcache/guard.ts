/**
 * Checks what a store claims of its revisions, as it flows.
 *
 * A copy that believed a lie would show clients a past that never was, and nobody could tell. So the
 * first claim that can't be true ends the watches with 410, and the copy is filled again.
 * Source: the contract's rules 2, 3 and 5 (proto/annex/store/v1/store.proto).
 */
import { expired, StatusError } from "../apimachinery/status.ts";
import type { ListPage, StoreEvent } from "../registry/registry.ts";

/** A claim that can't be true. The message is for the log: what the store said, and what it had said before. */
export class StoreLied extends Error {
  override readonly name = "StoreLied";
}

/** Gives what watches are told that were shown what can't be true. */
export function untrue(): StatusError {
  return expired("The store told what can't be true.");
}

/**
 * Gives what watches are told whose history is gone, or can't be believed; undefined: they can be resumed.
 * @param onLie is told of a lie.
 */
export function lossOf(error: unknown, onLie: (lie: StoreLied) => void): StatusError | undefined {
  if (error instanceof StatusError && error.status.code === 410) return error;
  if (!(error instanceof StoreLied)) return undefined;
  onLie(error);
  return untrue();
}

/**
 * A list's mark is the head: no item of its state is newer, and no later page is of an older one.
 *
 * @param first of its first page; undefined: this is it.
 * @throws StoreLied
 */
export function assertMark(page: ListPage, first: bigint | undefined): void {
  if (first !== undefined && page.revision < first)
    throw new StoreLied(`a list at revision ${first} has a page at ${page.revision}`);
  for (const { namespace, name, revision } of page.items) {
    if (revision <= page.revision) continue;
    throw new StoreLied(`a list at revision ${page.revision} has "${namespace}/${name}" at ${revision}`);
  }
}

/** Events come in the order of their revisions, each once. @throws StoreLied */
export function assertNext(event: StoreEvent, last: bigint): void {
  const { namespace, name, revision } = event.object;
  if (revision > last) return;
  throw new StoreLied(`an event of "${namespace}/${name}" at revision ${revision} came after revision ${last}`);
}

/** Progress doesn't go back. @throws StoreLied */
export function assertProgress(revision: bigint, last: bigint): void {
  if (revision < last) throw new StoreLied(`progress of revision ${revision} came after revision ${last}`);
}

/** A new epoch begins above everything that the one before has shown. @throws StoreLied */
export function assertEpochStart(
  next: { readonly epoch: string; readonly revision: bigint },
  before: { readonly epoch: string; readonly revision: bigint },
): void {
  if (before.epoch === "" || next.revision >= before.revision) return;
  const what = next.epoch === before.epoch ? "the same epoch" : `the epoch ${next.epoch}`;
  throw new StoreLied(`${what} is at revision ${next.revision}, and ${before.revision} was shown before`);
}
