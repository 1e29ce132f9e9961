/**
 * Sets of paths into an object: what a manager owns.
 *
 * A set is its own wire form, the trie of fieldsV1: an object whose keys are path elements, each with
 * the set of what is below it.
 *
 *   {"f:spec": {"f:replicas": {}, "f:ports": {"k:{\"port\":80}": {".": {}, "f:port": {}}}}}
 *
 * A node without keys is itself a member; one with keys is a member if `.` is among them; the root is
 * no member. No node but the root is empty without being a member, and none holds `.` alone. So what
 * comes from the store is used as it was parsed, without a second form to decode into and encode from.
 * Sets are values: no function changes one, and what is the same afterwards is the same object.
 * Source: structured-merge-diff fieldpath/set.go.
 */
import { isJsonObject, type JsonObject, newJsonObject } from "../apimachinery/json.ts";
import { compareElements, readElement } from "./path-element.ts";

/** A set of paths, or what a set holds below an element. */
export type PathSet = JsonObject;

const self = ".";

/** A member with nothing below it; as a root, the empty set. */
export const leaf: PathSet = Object.freeze(newJsonObject());

/** The set without members. */
export const emptySet = leaf;

/** Whether a set has no members. */
export function isEmpty(set: PathSet): boolean {
  for (const _ in set) return false;
  return true;
}

/** Whether the element that a node stands for is a member, beside what is below it. */
export function isMember(node: PathSet): boolean {
  return node[self] !== undefined || isEmpty(node);
}

/** Gives what is below an element, undefined if the set holds neither the element nor anything below it. */
export function below(set: PathSet, element: string): PathSet | undefined {
  return set[element] as PathSet | undefined;
}

/**
 * Gives a node: a member or not, with what is below it. Takes ownership of `children`.
 * @returns undefined for what is no member and has nothing below it.
 */
export function nodeOf(member: boolean, children: PathSet | undefined): PathSet | undefined {
  if (children === undefined || isEmpty(children)) return member ? leaf : undefined;
  if (member) children[self] = leaf;
  return children;
}

/** Gives the set of one path. */
export function setOfPath(path: readonly string[]): PathSet {
  return path.reduceRight<PathSet>((node, element) => {
    const parent = newJsonObject();
    parent[element] = node;
    return parent;
  }, leaf);
}

/** Whether the path is a member. */
export function hasPath(set: PathSet, path: readonly string[]): boolean {
  let node: PathSet | undefined = set;
  for (const element of path) {
    node = below(node, element);
    if (node === undefined) return false;
  }
  return path.length > 0 && isMember(node);
}

/** Gives what is in either set. */
export function union(a: PathSet, b: PathSet): PathSet {
  if (isEmpty(a)) return b;
  return isEmpty(b) ? a : unionOfNodes(a, b);
}

function unionOfNodes(a: PathSet, b: PathSet): PathSet {
  if (a === b) return a;
  if (isEmpty(a)) return asMember(b);
  if (isEmpty(b)) return asMember(a);
  let out: PathSet | undefined;
  for (const element in b) {
    const [mine, theirs] = [below(a, element), below(b, element) as PathSet];
    const both = mine === undefined ? theirs : unionOfNodes(mine, theirs);
    if (both === mine) continue;
    out ??= copyOf(a);
    out[element] = both;
  }
  return out ?? a;
}

/** Gives the node as a member. */
export function asMember(node: PathSet): PathSet {
  if (isMember(node)) return node;
  const out = copyOf(node);
  out[self] = leaf;
  return out;
}

/** Gives what is in both sets. */
export function intersection(a: PathSet, b: PathSet): PathSet {
  return childrenInBoth(a, b) ?? emptySet;
}

function childrenInBoth(a: PathSet, b: PathSet): PathSet | undefined {
  let out: PathSet | undefined;
  for (const element in b) {
    const [mine, theirs] = [below(a, element), below(b, element) as PathSet];
    if (mine === undefined || element === self) continue;
    const both = nodeOf(isMember(mine) && isMember(theirs), childrenInBoth(mine, theirs));
    if (both === undefined) continue;
    out ??= newJsonObject();
    out[element] = both;
  }
  return out;
}

/** Gives what is in `a` and not in `b`. A member of `b` takes away itself alone, not what is below it. */
export function difference(a: PathSet, b: PathSet): PathSet {
  return withoutChildren(a, b, differenceOfNodes);
}

function differenceOfNodes(a: PathSet, b: PathSet): PathSet | undefined {
  if (isEmpty(a)) return isMember(b) ? undefined : a;
  const rest = withoutChildren(a, b, differenceOfNodes);
  return a[self] === undefined || !isMember(b) ? canonical(rest) : canonical(withoutSelf(rest));
}

/** Gives what is in `a`, without the members of `b` and all that is below them. */
export function recursiveDifference(a: PathSet, b: PathSet): PathSet {
  return withoutChildren(a, b, (mine, theirs) =>
    isMember(theirs) ? undefined : isEmpty(mine) ? mine : canonical(recursiveDifference(mine, theirs)),
  );
}

type LeftOfNode = (mine: PathSet, theirs: PathSet) => PathSet | undefined;

/** What `left` leaves of each child that both have; the node's own membership stays. */
function withoutChildren(a: PathSet, b: PathSet, left: LeftOfNode): PathSet {
  let out: PathSet | undefined;
  for (const element in b) {
    const mine = below(a, element);
    if (mine === undefined || element === self) continue;
    const rest = left(mine, below(b, element) as PathSet);
    if (rest === mine) continue;
    out ??= copyOf(a);
    if (rest === undefined) delete out[element];
    else out[element] = rest;
  }
  return out ?? a;
}

function withoutSelf(node: PathSet): PathSet {
  const out = copyOf(node);
  delete out[self];
  return out;
}

/** A node with children, some of which may have gone: nothing left is nothing, `.` alone a plain member. */
function canonical(node: PathSet): PathSet | undefined {
  const keys = Object.keys(node);
  if (keys.length === 0) return undefined;
  return keys.length === 1 && keys[0] === self ? leaf : node;
}

/** Gives the set with each node directly below exchanged. */
export function mapNodes(set: PathSet, change: (element: string, node: PathSet) => PathSet): PathSet {
  let out: PathSet | undefined;
  for (const element in set) {
    if (element === self) continue;
    const node = below(set, element) as PathSet;
    const next = change(element, node);
    if (next === node) continue;
    out ??= copyOf(set);
    out[element] = next;
  }
  return out ?? set;
}

function copyOf(set: PathSet): PathSet {
  const out = newJsonObject();
  for (const key in set) out[key] = set[key] as PathSet;
  return out;
}

/** Gives the members: those nearest to the root first, then what is below each. The order is Kubernetes'. */
export function pathsOf(set: PathSet): string[][] {
  const paths: string[][] = [];
  const visit = (node: PathSet, path: readonly string[]): void => {
    const elements = Object.keys(node)
      .filter((element) => element !== self)
      .sort(compareElements);
    for (const element of elements) if (isMember(below(node, element) as PathSet)) paths.push([...path, element]);
    for (const element of elements) visit(below(node, element) as PathSet, [...path, element]);
  };
  visit(set, []);
  return paths;
}

/**
 * Reads a set that a client sent: elements as we write them, unknown kinds dropped.
 * @throws Error if an element can't be read, or something is no object.
 */
export function readPathSet(fields: unknown): PathSet {
  if (!isJsonObject(fields)) throw new Error("fieldsV1 is no object");
  return readNode(fields).children ?? emptySet;
}

function readNode(fields: JsonObject): { children: PathSet | undefined; member: boolean } {
  let children: PathSet | undefined;
  let member = false;
  for (const key of Object.keys(fields)) {
    if (key === self) {
      member = true;
      continue;
    }
    const element = readElement(key);
    if (element === undefined) continue;
    const value = fields[key] ?? leaf;
    if (!isJsonObject(value)) throw new Error("fieldsV1 holds what is no object");
    const inner = readNode(value);
    const node = nodeOf(inner.member, inner.children);
    if (node === undefined) continue;
    children ??= newJsonObject();
    const before = below(children, element);
    children[element] = before === undefined ? node : unionOfNodes(before, node);
  }
  return { children, member: member || children === undefined };
}
