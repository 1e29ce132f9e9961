/** Keeps the list of updaters short. Source: apimachinery pkg/util/managedfields/internal/capmanagers.go. */
import { compareTimes, ownerId } from "./managed-fields.ts";
import type { Owner } from "./ownership.ts";
import { compareText } from "./path-element.ts";
import { union } from "./path-set.ts";

/** Entries of updates that are kept apart, as in Kubernetes. */
const maxUpdaters = 10;

/** Merges the oldest updaters of each version into `ancient-changes`, until no more than ten updaters are left. */
export function mergeAncient(owners: Map<string, Owner>): void {
  const updaters = [...owners].filter(([, owner]) => owner.operation === "Update");
  if (updaters.length <= maxUpdaters) return;
  updaters.sort(([a, left], [b, right]) => compareTimes(left, right) || compareText(a, b));
  let count = updaters.length;
  const firstOfVersion = new Map<string, string>();
  for (const [id, owner] of updaters) {
    if (count <= maxUpdaters) return;
    const { apiVersion } = owner;
    const first = firstOfVersion.get(apiVersion);
    if (first === undefined) {
      firstOfVersion.set(apiVersion, id);
      continue;
    }
    const bucket = { manager: "ancient-changes", operation: "Update" as const, apiVersion, subresource: "" };
    const bucketId = ownerId(bucket);
    const before = owners.get(bucketId) ?? (owners.get(first) as Owner);
    if (!owners.has(bucketId)) owners.delete(first);
    owners.set(bucketId, { ...bucket, time: owner.time, set: union(owner.set, before.set) });
    owners.delete(id);
    count--;
  }
}
