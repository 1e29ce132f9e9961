/** What every store of ours must do: the certifier's promises, run by a store's own test. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { type Capability, Scope, Verb } from "../../gen/annex/store/v1/catalog_pb.js";
import type { ResourceDescription, Store } from "../../stores/sdk/sdk.ts";
import { serveInProcess } from "./in-process.testing.ts";
import { promises } from "./promises.ts";
import { summary } from "./report.ts";
import { certify } from "./run.ts";

/** Every verb. */
export const allVerbs = Object.values(Verb).filter((verb): verb is Verb => typeof verb === "number" && verb > 0);

/** Reference of the namespaced one of the resources below. */
export const resource = { group: "contract.annex.dev", version: "v1", plural: "things", subresource: "" };

/** Gives a namespaced and a cluster-scoped resource that any object fits. */
export function contractResources(
  capabilities: readonly Capability[],
  options: Partial<ResourceDescription> = {},
): ResourceDescription[] {
  const common = {
    group: resource.group,
    storageVersion: "v1",
    versions: [{ name: "v1", served: true }],
    verbs: allVerbs,
    capabilities: [...capabilities],
    ...options,
  };
  return [
    { ...common, plural: "things", kind: "Thing", scope: Scope.NAMESPACED },
    { ...common, plural: "others", kind: "Other", scope: Scope.CLUSTER },
  ] as ResourceDescription[];
}

/** Declares the test that a store keeps the contract. `open` gives it on an empty folder. */
export function testContract(name: string, open: (folder: string) => Promise<Store>): void {
  test(`the contract is kept by ${name}`, async () => {
    const folder = mkdtempSync(join(tmpdir(), "annex-contract-"));
    const served = await serveInProcess([{ store: await open(folder) }]);
    try {
      const report = await certify({
        addresses: served.addresses,
        connect: served.connect,
        promises: promises.filter(({ level }) => level !== "chaos"),
      });
      assert.ok(
        report.results.every((result) => result.outcome !== "broken"),
        summary(report),
      );
      assert.deepEqual(report.left, []);
    } finally {
      await served.stop();
      rmSync(folder, { recursive: true, force: true });
    }
  });
}
