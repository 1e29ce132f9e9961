/**
 * An ordered map that never changes: a write gives another map, which shares all but one path with
 * the one before.
 *
 *              [ a…  g…  p… ]            branch: the least key and the size of each child
 *              /     |     \
 *        [a b c]  [g h]  [p q s]         leaf: keys and values
 *
 * So every state of a resource's copy can be kept for as long as somebody pages through it, at the
 * price of a few small arrays a write. Counting the keys before a place costs a walk down, not a scan.
 * Keys are ordered by UTF-16 code units, which for the names of Kubernetes is the order of bytes.
 */
import { compareKeys } from "./key-order.ts";

/** Entries of a node: few enough to copy at each write, many enough that lists are made of few large pieces. */
const maxEntries = 256;
/** A node with fewer is joined with its neighbour. */
const minEntries = maxEntries / 4;

interface Leaf<V> {
  readonly keys: readonly string[];
  readonly values: readonly V[];
  readonly size: number;
}

interface Branch<V> {
  /** Least key of each child. */
  readonly keys: readonly string[];
  readonly children: readonly Node<V>[];
  readonly size: number;
}

type Node<V> = Leaf<V> | Branch<V>;

/** Keys from `from` (inclusive) to `to` (exclusive); undefined: from the first, to the last. */
export interface KeyRange {
  readonly from?: string | undefined;
  readonly to?: string | undefined;
}

/**
 * Entries that follow one another, at least one: those of a leaf from `first` to `end` (exclusive). The arrays
 * are the leaf's own: they never change, and every state that shares the leaf gives the same.
 */
export interface Run<V> {
  readonly keys: readonly string[];
  readonly values: readonly V[];
  readonly first: number;
  readonly end: number;
}

/** One state of an ordered map. */
export class KeyTree<V> {
  readonly #root: Node<V>;

  private constructor(root: Node<V>) {
    this.#root = root;
  }

  /** The map without any key. */
  static empty<V>(): KeyTree<V> {
    return new KeyTree<V>({ keys: [], values: [], size: 0 });
  }

  /** Makes a map of entries that are sorted by key, each key once. */
  static fromSorted<V>(entries: readonly (readonly [string, V])[]): KeyTree<V> {
    let nodes: Node<V>[] = [];
    for (const part of evenParts(entries)) {
      nodes.push(
        leaf(
          part.map(([key]) => key),
          part.map(([, value]) => value),
        ),
      );
    }
    while (nodes.length > 1) nodes = evenParts(nodes).map(branch);
    return new KeyTree(nodes[0] ?? leaf<V>([], []));
  }

  get size(): number {
    return this.#root.size;
  }

  get(key: string): V | undefined {
    let node = this.#root;
    while (isBranch(node)) node = node.children[childFor(node, key)] as Node<V>;
    const index = lowerBound(node.keys, key);
    return node.keys[index] === key ? node.values[index] : undefined;
  }

  /** Gives a map that has `value` under `key`. */
  with(key: string, value: V): KeyTree<V> {
    const nodes = put(this.#root, key, value);
    return new KeyTree(nodes.length === 1 ? (nodes[0] as Node<V>) : branch(nodes));
  }

  /** Gives a map without `key`: the same one if it isn't there. */
  without(key: string): KeyTree<V> {
    let root = cut(this.#root, key);
    if (root === this.#root) return this;
    while (isBranch(root) && root.children.length === 1) root = root.children[0] as Node<V>;
    return new KeyTree(root);
  }

  /** Gives how many keys of a range there are. */
  count({ from, to }: KeyRange): number {
    const before = from === undefined ? 0 : rank(this.#root, from);
    return Math.max(0, (to === undefined ? this.size : rank(this.#root, to)) - before);
  }

  /** Gives the entries of a range in order, as they lie together. */
  runs({ from, to }: KeyRange = {}): Generator<Run<V>, void, undefined> {
    return runsOf(this.#root, from, to);
  }

  /** Gives the entries of a range in order. */
  *entries(range: KeyRange = {}): Generator<readonly [string, V], void, undefined> {
    for (const { keys, values, first, end } of this.runs(range)) {
      for (let index = first; index < end; index++) yield [keys[index] as string, values[index] as V];
    }
  }

  /** Gives the values of a range in order. */
  *values(range: KeyRange = {}): Generator<V, void, undefined> {
    for (const [, value] of this.entries(range)) yield value;
  }
}

function isBranch<V>(node: Node<V>): node is Branch<V> {
  return "children" in node;
}

function leaf<V>(keys: readonly string[], values: readonly V[]): Leaf<V> {
  return { keys, values, size: keys.length };
}

function branch<V>(children: readonly Node<V>[]): Branch<V> {
  let size = 0;
  for (const child of children) size += child.size;
  return { keys: children.map((child) => child.keys[0] as string), children, size };
}

/** Cuts a list into as few parts as fit into nodes, all about as long. */
function evenParts<T>(list: readonly T[]): T[][] {
  const count = Math.ceil(list.length / maxEntries);
  return Array.from({ length: count }, (_, index) =>
    list.slice(Math.floor((index * list.length) / count), Math.floor(((index + 1) * list.length) / count)),
  );
}

/** Gives the first index whose key is not less than `key`. */
function lowerBound(keys: readonly string[], key: string): number {
  let low = 0;
  let high = keys.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (compareKeys(keys[middle] as string, key) < 0) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Gives the child in whose span a key is. */
function childFor<V>(node: Branch<V>, key: string): number {
  const index = lowerBound(node.keys, key);
  return node.keys[index] === key ? index : Math.max(0, index - 1);
}

/** Gives what stands in a node's place once it has the key: one node, or two if it was full. */
function put<V>(node: Node<V>, key: string, value: V): readonly Node<V>[] {
  if (isBranch(node)) {
    const index = childFor(node, key);
    const children = node.children.toSpliced(index, 1, ...put(node.children[index] as Node<V>, key, value));
    return children.length <= maxEntries ? [branch(children)] : evenParts(children).map(branch);
  }
  const index = lowerBound(node.keys, key);
  if (node.keys[index] === key) return [leaf(node.keys, node.values.with(index, value))];
  const keys = node.keys.toSpliced(index, 0, key);
  const values = node.values.toSpliced(index, 0, value);
  if (keys.length <= maxEntries) return [leaf(keys, values)];
  const middle = keys.length >>> 1;
  return [leaf(keys.slice(0, middle), values.slice(0, middle)), leaf(keys.slice(middle), values.slice(middle))];
}

/** Gives what stands in a node's place without the key; the node itself if it isn't there. May be empty. */
function cut<V>(node: Node<V>, key: string): Node<V> {
  if (!isBranch(node)) {
    const index = lowerBound(node.keys, key);
    return node.keys[index] === key ? leaf(node.keys.toSpliced(index, 1), node.values.toSpliced(index, 1)) : node;
  }
  const index = childFor(node, key);
  const child = node.children[index] as Node<V>;
  const next = cut(child, key);
  if (next === child) return node;
  if (next.keys.length >= minEntries) return branch(node.children.with(index, next));
  // Joined with a neighbour, so that no chain of removals leaves a tree of empty nodes.
  const other = index > 0 ? index - 1 : index + 1;
  const neighbour = node.children[other];
  if (neighbour === undefined) return next.size === 0 ? leaf<V>([], []) : branch([next]);
  const joined = other < index ? join(neighbour, next) : join(next, neighbour);
  return branch(node.children.toSpliced(Math.min(index, other), 2, ...joined));
}

/** Joins two neighbours of one level: into one node if they fit, else into two of about the same length. */
function join<V>(left: Node<V>, right: Node<V>): readonly Node<V>[] {
  if (isBranch(left) && isBranch(right)) return evenParts([...left.children, ...right.children]).map(branch);
  const [a, b] = [left as Leaf<V>, right as Leaf<V>];
  const keys = [...a.keys, ...b.keys];
  const values = [...a.values, ...b.values];
  if (keys.length <= maxEntries) return [leaf(keys, values)];
  const middle = keys.length >>> 1;
  return [leaf(keys.slice(0, middle), values.slice(0, middle)), leaf(keys.slice(middle), values.slice(middle))];
}

/** Gives how many keys are less than `key`. */
function rank<V>(root: Node<V>, key: string): number {
  let node = root;
  let before = 0;
  while (isBranch(node)) {
    const index = childFor(node, key);
    for (let left = 0; left < index; left++) before += (node.children[left] as Node<V>).size;
    node = node.children[index] as Node<V>;
  }
  return before + lowerBound(node.keys, key);
}

function* runsOf<V>(
  node: Node<V>,
  from: string | undefined,
  to: string | undefined,
): Generator<Run<V>, void, undefined> {
  if (isBranch(node)) {
    for (let index = from === undefined ? 0 : childFor(node, from); index < node.children.length; index++) {
      if (to !== undefined && compareKeys(node.keys[index] as string, to) >= 0) return;
      yield* runsOf(node.children[index] as Node<V>, from, to);
    }
    return;
  }
  const { keys, values } = node;
  const first = from === undefined ? 0 : lowerBound(keys, from);
  const end = to === undefined ? keys.length : lowerBound(keys, to);
  if (first < end) yield { keys, values, first, end };
}
