/** Removes what a run has written: what its own history says is still there. */
import { Code, ConnectError } from "@connectrpc/connect";
import type { Endpoint, Key } from "./kit.ts";
import type { Recorder } from "./recorder.ts";
import type { Subject } from "./subject.ts";

/** Deletes under way at once. */
const concurrency = 16;
/** Tries for one object: a write that was still under way may change it once more. */
const tries = 3;

/** Gives what could not be removed, as `resource namespace/name`. */
export async function removeObjects(
  endpoint: Endpoint,
  recorder: Recorder,
  subjects: readonly Subject[],
  run: string,
): Promise<readonly string[]> {
  const pending = writtenObjects(recorder, run);
  const left: string[] = [];
  async function work(): Promise<void> {
    for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
      const { resource, key, revision } = next;
      const subject = subjects.find((one) => one.label === resource);
      const isGone = subject?.can("delete") && (await remove(endpoint, subject, key, revision));
      if (!isGone) left.push(`${resource} ${key}`);
    }
  }
  await Promise.all(Array.from({ length: concurrency }, work));
  return left.sort();
}

/** What may be there, and the revision under which it was seen last. */
interface Remnant {
  readonly resource: string;
  readonly key: string;
  readonly revision: bigint | undefined;
}

/** Keys that may be there: written, or perhaps written, and not known to be deleted since. */
function writtenObjects(recorder: Recorder, run: string): Remnant[] {
  const there = new Map<string, Remnant>();
  for (const { call, resource, key, code, dryRun, revision } of recorder.operations) {
    if (key === undefined || dryRun || !key.includes(run)) continue;
    const id = `${resource} ${key}`;
    if (call === "create" || call === "update") {
      if (code === undefined || isUnknown(code)) {
        there.set(id, { resource, key, revision: revision === undefined ? undefined : BigInt(revision) });
      }
    }
    if (call === "delete" && code === undefined) there.delete(id);
  }
  return [...there.values()];
}

const isUnknown = (code: string) => code === "Unavailable" || code === "DeadlineExceeded" || code === "Canceled";

async function remove(endpoint: Endpoint, subject: Subject, text: string, seen: bigint | undefined): Promise<boolean> {
  const slash = text.indexOf("/");
  const key = { namespace: text.slice(0, slash), name: text.slice(slash + 1) };
  let revision = seen;
  for (let count = 0; count < tries; count++) {
    try {
      await endpoint.store.delete({
        resource: subject.ref,
        key,
        ...(revision === undefined ? {} : { preconditions: { revision } }),
      });
      return true;
    } catch (error) {
      const { code } = ConnectError.from(error);
      if (code === Code.NotFound) return true;
      if (code === Code.Unimplemented || code === Code.PermissionDenied) return false;
      const present = await presentOf(endpoint, subject, key);
      if (present === "gone") return true;
      revision = present;
    }
  }
  return false;
}

/** The revision of now; undefined: it can't be told. */
async function presentOf(endpoint: Endpoint, subject: Subject, key: Key): Promise<bigint | "gone" | undefined> {
  if (!subject.can("get")) return undefined;
  try {
    return (await endpoint.store.get({ resource: subject.ref, key })).object?.revision;
  } catch (error) {
    return ConnectError.from(error).code === Code.NotFound ? "gone" : undefined;
  }
}
