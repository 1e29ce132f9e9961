/**
 * Who owns which fields, and what an update or an apply does to that.
 *
 *   update   what it adds or changes is its own, whoever owned it; what it removes is no one's
 *   apply    the applied fields are its own; what it would change of another's is a conflict, unless
 *            forced; what it applied before and doesn't any more goes, if no one else owns it
 *
 * Pure: owners, values and types in, owners and a value out.
 * Each owner's fields are looked at in the version that they are named in.
 * Source: structured-merge-diff merge/update.go.
 */
import { type JsonObject, jsonEqual } from "../apimachinery/json.ts";
import { ApplyError, withPrefix } from "./apply-error.ts";
import type { ApplyType } from "./apply-type.ts";
import { type Comparison, compare } from "./compare.ts";
import type { Conversions } from "./conversions.ts";
import { fieldSetOf } from "./field-set.ts";
import { ItemError } from "./list-items.ts";
import { merge } from "./merge.ts";
import { compareText } from "./path-element.ts";
import {
  difference,
  emptySet,
  intersection,
  isEmpty,
  type PathSet,
  pathsOf,
  recursiveDifference,
  union,
} from "./path-set.ts";
import { reconcile, withDeclaredFields } from "./reconcile.ts";
import { removeItems } from "./remove.ts";
import { validationError } from "./validate.ts";

/** One entry of managedFields. */
export interface Owner {
  readonly manager: string;
  readonly operation: "Apply" | "Update";
  readonly apiVersion: string;
  /** `""`: the object itself. */
  readonly subresource: string;
  /** RFC 3339, seconds, UTC. */
  readonly time: string | undefined;
  readonly set: PathSet;
}

/** Owners by what tells them apart. */
export type Owners = ReadonlyMap<string, Owner>;

/** One field that an apply would take from its owner. */
export interface Conflict {
  readonly owner: Owner;
  readonly path: readonly string[];
}

/** An apply that others' fields stand against. */
export class ApplyConflicts extends Error {
  override readonly name = "ApplyConflicts";
  readonly conflicts: readonly Conflict[];

  constructor(conflicts: readonly Conflict[]) {
    super(`${conflicts.length} conflicts`);
    this.conflicts = conflicts;
  }
}

/** What the versions of a resource say. */
export interface VersionRules {
  /** @throws ApplyError if the resource has no such version. */
  typeOf(apiVersion: string): ApplyType;
  /** Fields that a write in this version can't set through this door; undefined: none. */
  resetFields(apiVersion: string): PathSet | undefined;
  /** Undefined: versions differ by their apiVersion alone. */
  readonly conversions: Conversions | undefined;
}

/** What a write is made of. `live` and `next` fit the type of `self`'s version. */
export interface Write {
  readonly live: JsonObject;
  readonly next: JsonObject;
  readonly owners: Owners;
  /** Under which the writer stands among the owners. */
  readonly id: string;
  /** The writer; its set is not looked at. */
  readonly self: Owner;
}

/** Gives the owners after an update. @throws ApplyError */
export function ownersAfterUpdate(rules: VersionRules, write: Write): Map<string, Owner> {
  const { live, next, id, self } = write;
  expectConversions(rules, write, [live, next]);
  const owners = reconciled(rules, write);
  const comparison = takeFromOthers(rules, write, owners, true);
  const before = owners.get(id)?.set ?? emptySet;
  const kept = union(union(difference(before, comparison.removed), comparison.modified), comparison.added);
  setOwner(owners, id, { ...self, set: withoutReset(rules, self.apiVersion, kept) });
  return owners;
}

/** What an apply leads to. */
export interface Applied {
  /** Undefined: the live object is as it was applied already. */
  readonly object: JsonObject | undefined;
  readonly owners: Map<string, Owner>;
}

/**
 * Applies `next`, which names what its owner wants and nothing else.
 * @throws ApplyConflicts unless forced. ApplyError
 */
export function applyFields(rules: VersionRules, write: Write, force: boolean): Applied {
  const { live, next, id, self } = write;
  const type = rules.typeOf(self.apiVersion);
  const merged = merge(type, live, next) as JsonObject;
  // What is pruned differs, but seldom is anything.
  expectConversions(rules, write, [live, merged]);
  const owners = reconciled(rules, write);
  const last = owners.get(id);
  const set = withoutReset(rules, self.apiVersion, fieldSetOf(type, next));
  owners.set(id, { ...self, set });
  const object = prune(rules, merged, owners, last, self.apiVersion, set);
  takeFromOthers(rules, { ...write, next: object }, owners, force);
  return { object: jsonEqual(live, object) ? undefined : object, owners };
}

/** Has the objects converted together into the versions of all owners. */
function expectConversions(
  { typeOf, conversions }: VersionRules,
  { self, owners }: Write,
  objects: readonly JsonObject[],
): void {
  if (conversions === undefined) return;
  const versions = new Set<string>();
  for (const { apiVersion } of owners.values()) if (apiVersion !== self.apiVersion) versions.add(apiVersion);
  for (const apiVersion of versions) typeOf(apiVersion);
  conversions.expect(objects, versions);
}

function reconciled(rules: VersionRules, { live, owners, self }: Write): Map<string, Owner> {
  const forms = formsIn(rules, self.apiVersion, { "": live });
  const out = new Map<string, Owner>();
  for (const [id, owner] of owners) {
    const set = reconcile(forms(owner.apiVersion).type, owner.set);
    out.set(id, set === owner.set ? owner : { ...owner, set });
  }
  return out;
}

/** Objects in a version, and its type. */
interface Forms {
  readonly type: ApplyType;
  readonly objects: readonly JsonObject[];
}

/**
 * Gives objects in each version that is asked for.
 * @param objects by what a message says before what is wrong with one; in the version `own`.
 */
function formsIn(rules: VersionRules, own: string, objects: Readonly<Record<string, JsonObject>>) {
  const known = new Map<string, Forms>();
  return (apiVersion: string): Forms => {
    let forms = known.get(apiVersion);
    if (forms !== undefined) return forms;
    const inIt = Object.entries(objects).map(([what, object]) => inVersion(rules, object, own, apiVersion, what));
    forms = { type: rules.typeOf(apiVersion), objects: inIt };
    known.set(apiVersion, forms);
    return forms;
  };
}

/**
 * Gives an object in another version, after a look whether it fits there: conversion checks.
 * @throws ApplyError that begins with `what`.
 */
function inVersion(rules: VersionRules, object: JsonObject, from: string, to: string, what: string): JsonObject {
  if (from === to) return object;
  const type = rules.typeOf(to);
  return withPrefix(what, () => {
    const converted = rules.conversions === undefined ? object : rules.conversions.convert(object, to);
    const error = validationError(type, converted, { allowDuplicates: false });
    if (error !== undefined) throw new ApplyError(error);
    return converted;
  });
}

/** Takes from all owners but the writer what the write changes, and gives the difference that it makes. */
function takeFromOthers(rules: VersionRules, write: Write, owners: Map<string, Owner>, force: boolean): Comparison {
  const { live, next, id, self } = write;
  const forms = formsIn(rules, self.apiVersion, {
    "failed to convert old object: ": live,
    "failed to convert new object: ": next,
  });
  const comparisons = new Map<string, Comparison & { readonly changed: PathSet }>();
  const comparisonIn = (apiVersion: string) => {
    const known = comparisons.get(apiVersion);
    if (known !== undefined) return known;
    const { removed, modified, added } = comparisonOf(forms(apiVersion));
    const left = {
      removed: withoutReset(rules, apiVersion, removed),
      modified: withoutReset(rules, apiVersion, modified),
      added: withoutReset(rules, apiVersion, added),
    };
    const found = { ...left, changed: union(left.modified, left.added) };
    comparisons.set(apiVersion, found);
    return found;
  };
  const own = comparisonIn(self.apiVersion);
  const conflicts: Conflict[] = [];
  const others = [...owners].filter(([other]) => other !== id);
  // Their order shows in conflicts alone.
  if (!force) others.sort(([a], [b]) => compareText(a, b));
  for (const [other, owner] of others) {
    const { removed, changed } = comparisonIn(owner.apiVersion);
    const taken = intersection(owner.set, changed);
    if (!force) for (const path of pathsOf(taken)) conflicts.push({ owner, path });
    const set = difference(difference(owner.set, taken), removed);
    if (set !== owner.set || isEmpty(set)) setOwner(owners, other, { ...owner, set });
  }
  if (conflicts.length > 0) throw new ApplyConflicts(conflicts);
  const mine = owners.get(id);
  if (mine !== undefined) setOwner(owners, id, mine);
  return own;
}

/** What pruning has emptied can't be compared. */
function comparisonOf({ type, objects }: Forms): Comparison {
  const [live, next] = objects as [JsonObject, JsonObject];
  try {
    return compare(type, live, next);
  } catch (error) {
    if (!(error instanceof ItemError)) throw error;
    const why = validationError(type, next, { allowDuplicates: true }) ?? error.message;
    throw new ApplyError(`failed to compare objects: ${why}`, { cause: error });
  }
}

/** Who owns nothing is no owner. */
function setOwner(owners: Map<string, Owner>, id: string, owner: Owner): void {
  if (isEmpty(owner.set)) owners.delete(id);
  else owners.set(id, owner);
}

function withoutReset(rules: VersionRules, apiVersion: string, set: PathSet): PathSet {
  const reset = rules.resetFields(apiVersion);
  return reset === undefined ? set : recursiveDifference(set, reset);
}

/**
 * Takes out what the writer applied last time and not this time, unless someone owns it.
 *
 * In three steps, each over the merged object: without all that was applied last time; with what is
 * owned by anyone, the writer's new fields too; with what was only in the way of what went.
 */
function prune(
  rules: VersionRules,
  merged: JsonObject,
  owners: Owners,
  last: Owner | undefined,
  apiVersion: string,
  applied: PathSet,
): JsonObject {
  if (last === undefined || isEmpty(last.set)) return merged;
  // Nothing of it is left out this time, and no other version has to be looked at.
  const isOneVersion = [last, ...owners.values()].every((owner) => owner.apiVersion === apiVersion);
  if (isOneVersion && isEmpty(difference(last.set, applied))) return merged;
  const failed = "failed to prune fields: ";
  const first = last.apiVersion;
  const type = rules.typeOf(first);
  const whatFirst = `${failed}failed to convert merged object to last applied version: `;
  const mergedFirst = inVersion(rules, merged, apiVersion, first, whatFirst);
  const lastSet = withDeclaredFields(type, last.set);
  let [whole, pruned, at] = [mergedFirst, removeItems(type, mergedFirst, lastSet) as JsonObject, first];
  for (const [version, owned] of ownedByVersion(owners, first)) {
    const step = (what: string) =>
      `${failed}failed add back owned items: failed to convert ${what} object at version ${version}: `;
    whole = inVersion(rules, whole, at, version, step("merged"));
    pruned = inVersion(rules, pruned, at, version, step("pruned"));
    const there = rules.typeOf(version);
    const fields = withDeclaredFields(there, fieldSetOf(there, whole));
    const kept = union(withDeclaredFields(there, fieldSetOf(there, pruned)), withDeclaredFields(there, owned));
    pruned = removeItems(there, whole, difference(fields, kept)) as JsonObject;
    at = version;
  }
  const whatLast = `${failed}failed add back dangling items: failed to convert pruned object to last applied version: `;
  const prunedFirst = inVersion(rules, pruned, at, first, whatLast);
  const gone = difference(
    withDeclaredFields(type, fieldSetOf(type, mergedFirst)),
    withDeclaredFields(type, fieldSetOf(type, prunedFirst)),
  );
  const result = removeItems(type, mergedFirst, intersection(gone, lastSet)) as JsonObject;
  return inVersion(rules, result, first, apiVersion, failed);
}

/** What all owners of a version own together; `first` comes first. */
function ownedByVersion(owners: Owners, first: string): Map<string, PathSet> {
  const sets = new Map<string, PathSet>();
  const isAny = [...owners.values()].some((owner) => owner.apiVersion === first);
  if (isAny) sets.set(first, emptySet);
  for (const { apiVersion, set } of owners.values()) sets.set(apiVersion, union(sets.get(apiVersion) ?? emptySet, set));
  return sets;
}
