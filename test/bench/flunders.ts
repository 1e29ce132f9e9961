/** The objects of the table: flunders of about a size, each by the load that a column is given. */
import type { Column } from "./columns.ts";
import { type AskedFor, type Load, usualConnections } from "./load/load.ts";

/** Path of the flunders in a namespace. */
export const flundersIn = (namespace: string) => `/apis/wardle.example.com/v1beta1/namespaces/${namespace}/flunders`;

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

/** How many objects of which size a namespace has; those of one measurement are nobody else's to change. */
export const collections = {
  small: { count: 1_000, bytes: 1_000 },
  many: { count: 10_000, bytes: 1_000 },
  large: { count: 100, bytes: 10_000 },
  written: { count: usualConnections, bytes: 1_000 },
  watched: { count: usualConnections, bytes: 1_000 },
} as const;

/** Creates a namespace's objects, `o-0` and up, in all columns at once; not where they are already. */
export async function fill(load: Load, columns: readonly Column[], namespace: keyof typeof collections): Promise<void> {
  const { count, bytes } = collections[namespace];
  const path = flundersIn(namespace);
  const create = { method: "POST", path, body: flunder({ name: "o-{number}", bytes }), status: 201 };
  const last = { path: `${path}/o-${count - 1}`, connections: 1, strict: false, until: { operations: 1 } };
  await Promise.all(
    columns.map(async ({ target }) => {
      const { failed } = await load.request({ target, ...last });
      if (failed > 0) await load.request({ target, ...create, until: { operations: count } });
    }),
  );
}

/** Creates an operation's requests, by which a column's objects are changed: each connection has its own. */
export function update(namespace: string, bytes: number): Omit<AskedFor, "target" | "until"> {
  return {
    method: "PUT",
    path: `${flundersIn(namespace)}/o-{connection}`,
    body: flunder({ name: "o-{connection}", bytes, version: "{version}" }),
  };
}
