/** The answer to an apply that others' fields stand against. Source: apimachinery pkg/util/managedfields/internal/conflict.go. */
import { goQuote } from "../apimachinery/go-text.ts";
import { StatusError } from "../apimachinery/status.ts";
import { ownerId } from "./managed-fields.ts";
import type { Conflict, Owner } from "./ownership.ts";
import { compareText, formatPath } from "./path-element.ts";

/** Gives 409 Conflict with a cause for each field. */
export function conflictStatus(conflicts: readonly Conflict[]): StatusError {
  return new StatusError({
    code: 409,
    reason: "Conflict",
    message: messageOf(conflicts),
    details: {
      causes: conflicts.map(({ owner, path }) => ({
        reason: "FieldManagerConflict",
        message: `conflict with ${formatOwner(owner)}`,
        field: formatPath(path),
      })),
    },
  });
}

function messageOf(conflicts: readonly Conflict[]): string {
  const [first] = conflicts;
  if (first !== undefined && conflicts.length === 1) {
    return `Apply failed with 1 conflict: conflict with ${formatOwner(first.owner)}: ${formatPath(first.path)}`;
  }
  const byOwner = new Map<string, Conflict[]>();
  for (const conflict of conflicts) {
    const id = ownerId(conflict.owner);
    byOwner.set(id, [...(byOwner.get(id) ?? []), conflict]);
  }
  const ids = [...byOwner.keys()].sort(compareText);
  const lines = ids.flatMap((id) => {
    const found = byOwner.get(id) as Conflict[];
    return [
      `conflicts with ${formatOwner((found[0] as Conflict).owner)}:`,
      ...found.map(({ path }) => `- ${formatPath(path)}`),
    ];
  });
  return `Apply failed with ${conflicts.length} conflicts: ${lines.join("\n")}`;
}

function formatOwner({ manager, operation, apiVersion, subresource }: Owner): string {
  const through = subresource === "" ? "" : ` with subresource ${goQuote(subresource)}`;
  return `${goQuote(manager)}${through}${operation === "Update" ? ` using ${apiVersion}` : ""}`;
}
