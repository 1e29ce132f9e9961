/**
 * Sets that were written under another schema, brought in line with the one of now; and the members
 * that a set has without saying so.
 *
 * Source: structured-merge-diff typed/reconcile_schema.go, fieldpath/set.go.
 */
import { type ApplyType, fallbackOf, typeOfElement, typeOfKey } from "./apply-type.ts";
import { asMember, isEmpty, leaf, mapNodes, type PathSet } from "./path-set.ts";

/**
 * Gives the set with what has become one thing owned as one thing. What was one thing and has parts now
 * stays as it is: whoever owned it owns the node.
 */
export function reconcile(type: ApplyType, set: PathSet): PathSet {
  return mapNodes(set, (element, node) => reconcileNode(typeBelow(type, element), node));
}

function reconcileNode(type: ApplyType | undefined, node: PathSet): PathSet {
  if (type === undefined || isEmpty(node)) return node;
  const shape = fallbackOf(type);
  if (shape === "map" && type.map?.isDeduced === false && type.map.isAtomic) return leaf;
  if (shape === "list" && type.list?.isAtomic === true) return leaf;
  if (shape === "scalar" || (shape === "map" && type.map?.isDeduced === true)) return node;
  return mapNodes(node, (element, child) => reconcileNode(typeBelow(type, element), child));
}

function typeBelow(type: ApplyType, element: string): ApplyType | undefined {
  if (fallbackOf(type) === "list") return type.list?.items;
  if (type.map === undefined || type.map.isDeduced) return undefined;
  return element.startsWith("f:") ? typeOfKey(type.map, element.slice(2)) : type.map.further;
}

/**
 * Gives the set with the declared fields above its members as members too. So two sets that name
 * different parts of a declared field have that field in common.
 */
export function withDeclaredFields(type: ApplyType | undefined, set: PathSet): PathSet {
  return mapNodes(set, (element, node) => {
    if (isEmpty(node)) return node;
    const inner = withDeclaredFields(typeOfElement(type, element), node);
    const isDeclared = element.startsWith("f:") && type?.map?.fields.has(element.slice(2)) === true;
    return isDeclared ? asMember(inner) : inner;
  });
}
