/**
 * Keeps metadata.managedFields through every write, and applies.
 *
 * An update never fails for it: what can't be tracked has no managedFields. An apply is refused.
 * Source: apimachinery pkg/util/managedfields, its managers one inside the other; apiextensions-apiserver
 * for what custom resources do otherwise.
 */

import { formatGroupVersion, type GroupVersionKind, parseGroupVersion } from "../apimachinery/gvk.ts";
import { type JsonObject, type JsonValue, jsonEqual, newJsonObject } from "../apimachinery/json.ts";
import { type KubeObject, nameOf, namespaceOf, uidOf } from "../apimachinery/object.ts";
import { badRequest, unknownError } from "../apimachinery/status.ts";
import { formatTime } from "../apimachinery/time.ts";
import { mergeAncient } from "./ancient-changes.ts";
import { ApplyError, withPrefix } from "./apply-error.ts";
import { conflictStatus } from "./conflict.ts";
import { kubectl, lastAppliedFields, withLastApplied } from "./last-applied.ts";
import {
  entriesFrom,
  entriesOf,
  namesManagers,
  ownerId,
  readOwners,
  sentSet,
  trustedSet,
  withEntries,
} from "./managed-fields.ts";
import {
  ApplyConflicts,
  applyFields,
  type Owner,
  type Owners,
  ownersAfterUpdate,
  type VersionRules,
} from "./ownership.ts";
import { difference, emptySet, hasPath, isEmpty, type PathSet, union } from "./path-set.ts";
import { validationError } from "./validate.ts";

/** Through which door of which version a write comes. */
export interface FieldScope {
  readonly gvk: GroupVersionKind;
  /** `""`, `status` or `scale`. */
  readonly subresource: string;
  readonly rules: VersionRules;
}

/** A write that is no apply. */
export interface TrackedWrite {
  /** Undefined: it doesn't exist yet. */
  readonly live: KubeObject | undefined;
  /** As the client means it to become: before the system's fields are put back. */
  readonly next: KubeObject;
  /** `""`: unknown. */
  readonly manager: string;
  readonly now: Date;
}

/** An apply. */
export interface AppliedWrite {
  readonly live: KubeObject | undefined;
  readonly patch: KubeObject;
  readonly manager: string;
  readonly force: boolean;
  readonly now: Date;
}

/** Gives the next state with its managedFields. */
export function trackUpdate(scope: FieldScope, write: TrackedWrite): KubeObject {
  const live = write.live ?? emptyObject(scope);
  try {
    const owners = ownersSent(scope, live, write.next);
    return withEntries(write.next, entriesFrom(trackedUpdate(scope, write, live, owners)));
  } catch (error) {
    if (!(error instanceof ApplyError)) throw error;
    return withEntries(write.next, undefined);
  }
}

/**
 * Gives the owners that a client's object names, or those of the live one.
 *
 * A client may write managedFields as it likes, but for a subresource. Nothing, and what can't be read,
 * is the live object's; one empty entry resets.
 */
function ownersSent(scope: FieldScope, live: KubeObject, next: KubeObject): Owners {
  const [before, sent] = [entriesOf(live), entriesOf(next)];
  if (scope.subresource !== "") return liveOwners(before);
  if (sent !== undefined && isReset(sent)) return new Map();
  if (sent === undefined || jsonEqual(sent as JsonValue[], before as JsonValue[])) return liveOwners(before);
  try {
    return readOwners(sent, sentSet);
  } catch (error) {
    if (!(error instanceof ApplyError)) throw error;
    return liveOwners(before);
  }
}

function liveOwners(entries: readonly JsonValue[] | undefined): Owners {
  try {
    return readOwners(entries, trustedSet);
  } catch (error) {
    if (!(error instanceof ApplyError)) throw error;
    return new Map();
  }
}

function isReset(entries: readonly JsonValue[]): boolean {
  if (entries.length === 0) return true;
  return entries.length === 1 && Object.keys(entries[0] as JsonObject).length === 0;
}

/** An object whose fields aren't tracked stays so: tracking begins with a creation or with an apply. */
function trackedUpdate(scope: FieldScope, write: TrackedWrite, live: KubeObject, owners: Owners): Owners {
  if (owners.size === 0 && uidOf(live) !== "") return owners;
  return updated(scope, write, live, owners);
}

function updated(scope: FieldScope, write: TrackedWrite, live: KubeObject, owners: Owners): Map<string, Owner> {
  const { rules } = scope;
  const apiVersion = apiVersionOf(scope);
  const type = rules.typeOf(apiVersion);
  assertKnown(scope, write.next);
  const [bareLive, bareNext] = [withEntries(live, undefined), withEntries(write.next, undefined)];
  for (const [what, object] of [
    ["new", bareNext],
    ["live", bareLive],
  ] as const) {
    const error = validationError(type, object, { allowDuplicates: true });
    if (error !== undefined)
      throw new ApplyError(`failed to convert ${what} object (${placeOf(object)}) to smd typed: ${error}`);
  }
  const operation = "Update";
  const manager = write.manager === "" ? "unknown" : write.manager;
  const self = {
    manager,
    operation,
    apiVersion,
    subresource: scope.subresource,
    time: undefined,
    set: emptySet,
  } as const;
  const current = "current-operation";
  const after = withPrefix(`failed to update ManagedFields (${placeOf(write.next)}): `, () =>
    ownersAfterUpdate(rules, { live: bareLive, next: bareNext, owners, id: current, self }),
  );
  const mine = difference(after.get(current)?.set ?? emptySet, untracked);
  after.delete(current);
  if (!isEmpty(mine)) {
    const id = ownerId(self);
    const before = after.get(id)?.set ?? emptySet;
    after.set(id, { ...self, time: formatTime(write.now), set: union(mine, before) });
  }
  mergeAncient(after);
  return after;
}

/** What calls itself something else can come through status, where nobody minds. It has no type. */
function assertKnown({ gvk, rules }: FieldScope, next: KubeObject): void {
  const found = gvkOf(next);
  if (found.kind !== gvk.kind) throw new ApplyError(`no corresponding type for ${formatKind(found)}`);
  rules.typeOf(formatGroupVersion(found.group, found.version));
}

/**
 * Applies a patch to the live object, or to nothing.
 *
 * @returns the next state with its managedFields; not yet defaulted.
 * @throws StatusError 400 for a patch of another kind, 409 for conflicts, 500 for a patch that doesn't fit.
 */
export function applyPatch(scope: FieldScope, write: AppliedWrite): KubeObject {
  const live = write.live ?? emptyObject(scope);
  assertKind(scope, write.patch);
  const owners = ownersOfLive(live);
  const { object, after } = appliedByKubectl(scope, write, live, owners);
  const next = withEntries(object, entriesFrom(after));
  return write.manager === kubectl ? withLastApplied(next, write.patch) : next;
}

function ownersOfLive(live: KubeObject): Owners {
  return orFail("failed to decode managed fields: ", () => readOwners(entriesOf(live), trustedSet));
}

function assertKind({ gvk }: FieldScope, patch: KubeObject): void {
  const found = gvkOf(patch);
  if (formatKind(found) !== formatKind(gvk)) throw badRequest(`invalid object type: ${formatKind(found)}`);
}

/** Conflicts with what kubectl has applied on the client's side are none. */
function appliedByKubectl(scope: FieldScope, write: AppliedWrite, live: KubeObject, owners: Owners) {
  try {
    return applied(scope, write, live, owners);
  } catch (error) {
    if (!(error instanceof ApplyConflicts)) throw error;
    const apiVersion = apiVersionOf(scope);
    const isKubectl = write.manager === kubectl;
    const known = isKubectl
      ? lastAppliedFields(scope.rules.typeOf(apiVersion), withEntries(live, undefined), apiVersion)
      : undefined;
    if (known === undefined) throw conflictStatus(error.conflicts);
    const left = error.conflicts.filter(({ path }) => !hasPath(known, path));
    if (left.length > 0) throw conflictStatus(left);
    return applied(scope, { ...write, force: true }, live, owners);
  }
}

function applied(scope: FieldScope, write: AppliedWrite, live: KubeObject, owners: Owners) {
  const { rules } = scope;
  const apiVersion = apiVersionOf(scope);
  const bareLive = withEntries(live, undefined);
  const before =
    owners.size > 0
      ? owners
      : orFail("failed to create manager for existing fields: ", () =>
          updated(scope, { ...write, next: live, manager: "before-first-apply" }, emptyObject(scope), owners),
        );
  if (namesManagers(write.patch)) throw badRequest("metadata.managedFields must be nil");
  const type = orFail("", () => rules.typeOf(apiVersion));
  assertFits(write.patch, validationError(type, write.patch, { allowDuplicates: false }), "patch");
  assertFits(live, validationError(type, bareLive, { allowDuplicates: true }), "live");
  const operation = "Apply";
  const { manager } = write;
  const self = {
    manager,
    operation,
    apiVersion,
    subresource: scope.subresource,
    time: undefined,
    set: emptySet,
  } as const;
  const id = ownerId(self);
  const result = orFail("", () =>
    applyFields(rules, { live: bareLive, next: write.patch, owners: before, id, self }, write.force),
  );
  const after = result.owners;
  const mine = after.get(id);
  if (mine !== undefined) {
    const set = difference(mine.set, untracked);
    // An apply that changes nothing leaves the time as it was.
    const time = result.object === undefined ? before.get(id)?.time : formatTime(write.now);
    if (isEmpty(set)) after.delete(id);
    else after.set(id, { ...mine, set, time });
  }
  return { object: result.object ?? bareLive, after };
}

function assertFits(object: KubeObject, error: string | undefined, what: "patch" | "live"): void {
  if (error === undefined) return;
  throw unknownError(`failed to create typed ${what} object (${placeOf(object)}): ${error}`);
}

function placeOf(object: KubeObject): string {
  return `${namespaceOf(object)}/${nameOf(object)}; ${formatKind(gvkOf(object))}`;
}

/** @throws StatusError 500 with Kubernetes' words for what apply can't take. */
function orFail<T>(prefix: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (!(error instanceof ApplyError)) throw error;
    throw unknownError(prefix + error.message);
  }
}

function apiVersionOf({ gvk }: FieldScope): string {
  return formatGroupVersion(gvk.group, gvk.version);
}

function emptyObject(scope: FieldScope): KubeObject {
  const object = newJsonObject();
  object["apiVersion"] = apiVersionOf(scope);
  object["kind"] = scope.gvk.kind;
  return object;
}

function gvkOf(object: KubeObject): GroupVersionKind {
  const { apiVersion, kind } = object;
  const word = typeof kind === "string" ? kind : "";
  try {
    return { ...parseGroupVersion(typeof apiVersion === "string" ? apiVersion : ""), kind: word };
  } catch {
    // What parseGroupVersion throws is that it is none.
    return { group: "", version: "", kind: word };
  }
}

function formatKind({ group, version, kind }: GroupVersionKind): string {
  return `${group}/${version}, Kind=${kind}`;
}

/** What no one owns: the names of the object and its kind, and what the server writes. */
const untracked: PathSet = (() => {
  const set = newJsonObject();
  for (const field of ["apiVersion", "kind"]) set[`f:${field}`] = newJsonObject();
  const metadata = newJsonObject();
  metadata["."] = newJsonObject();
  for (const field of [
    "name",
    "namespace",
    "creationTimestamp",
    "selfLink",
    "uid",
    "clusterName",
    "generation",
    "managedFields",
    "resourceVersion",
  ]) {
    metadata[`f:${field}`] = newJsonObject();
  }
  set["f:metadata"] = metadata;
  return set;
})();
