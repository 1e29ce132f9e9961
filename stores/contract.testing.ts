/**
 * What every store of ours must do, called through a real socket: each promise by its name.
 *
 * A store skips by undeclared capability, never by a list of names.
 */
import { describe } from "node:test";
import { createKit } from "./contract-kit.testing.ts";
import { checkReads } from "./contract-reads.testing.ts";
import { checkWatches } from "./contract-watch.testing.ts";
import { checkWrites } from "./contract-writes.testing.ts";
import type { Store } from "./sdk/sdk.ts";

export { contractResources } from "./contract-kit.testing.ts";

/** Checks a store. `open` gives it on an empty folder. */
export function checkContract(name: string, open: (folder: string) => Promise<Store>): void {
  describe(`the contract, kept by ${name}`, () => {
    const kit = createKit(open);
    checkWrites(kit);
    checkReads(kit);
    checkWatches(kit);
  });
}
