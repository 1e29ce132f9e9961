/** Where a store's history begins, and writes enough to move it. */
import type { Kit } from "../kit.ts";

/** Windows up to this many revisions are filled, so that what lies before them is forgotten. */
const fillableRevisions = 600n;

/**
 * Writes until a revision lies before the window, where the window is small enough to be filled in a
 * moment; a larger one is only asked where it begins.
 *
 * @returns the oldest revision that a watch can begin after (0: the store doesn't say), and the
 * greatest below it; undefined where nothing has been forgotten yet.
 */
export async function forgotten(
  kit: Kit,
  revision: bigint,
): Promise<{ readonly oldest: bigint; readonly before: bigint | undefined }> {
  const declared = kit.subject.resource.resumeWindow;
  const window = declared?.minRevisions ?? 0n;
  const isFillable = window > 0n && window <= fillableRevisions && (declared?.minAgeMs ?? 0n) === 0n;
  let oldest = await oldestOf(kit);
  if (isFillable) {
    let made = await kit.make("fill");
    for (let count = 0n; count < window * 2n + 50n && oldest <= revision; count++) {
      made = await kit.put(made, `${count}`);
      if (count % 50n === 0n) oldest = await oldestOf(kit);
    }
    oldest = await oldestOf(kit);
  }
  return { oldest, before: oldest > 1n ? oldest - 1n : undefined };
}

/** Gives the oldest revision that a watch can begin after, as a watch that begins now says. */
export async function oldestOf(kit: Kit): Promise<bigint> {
  const watcher = kit.watch();
  const { oldestResumable } = await watcher.started();
  watcher.close();
  return oldestResumable;
}
