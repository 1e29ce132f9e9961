/** The objects of the table: flunders of about a size, each by the load that a column is given. */
import type { Column } from "./columns.ts";
import { flundersIn } from "./columns.ts";
import type { AskedFor, Load } from "./load/load.ts";

/** What a name, the managedFields and the rest of the metadata add to an object. */
const aroundBytes = 600;

/** Gives a flunder's text of about so many bytes once it is stored. Name and more may be what load.ts fills in. */
export function flunder({ name, bytes, version }: { name: string; bytes: number; version?: string }): string {
  // The mark tells a watch's reader when it was written.
  const flunderReference = `@{now}@${"x".repeat(bytes - aroundBytes)}`;
  return JSON.stringify({
    apiVersion: "wardle.example.com/v1beta1",
    kind: "Flunder",
    metadata: { name, ...(version === undefined ? {} : { resourceVersion: version }) },
    spec: { flunderReference, referenceType: "Flunder" },
  });
}

/** Creates so many, `o-0` and up. */
export async function fill(
  load: Load,
  column: Column,
  { namespace, count, bytes }: { namespace: string; count: number; bytes: number },
): Promise<void> {
  const body = flunder({ name: "o-{number}", bytes });
  const path = flundersIn(namespace);
  const until = { operations: count };
  await load.request({ target: column.target, method: "POST", path, body, status: 201, until });
}

/** Creates an operation's requests, by which a column's objects are changed: each connection has its own. */
export function update(namespace: string, bytes: number): Omit<AskedFor, "target" | "until"> {
  return {
    method: "PUT",
    path: `${flundersIn(namespace)}/o-{connection}`,
    body: flunder({ name: "o-{connection}", bytes, version: "{version}" }),
  };
}
