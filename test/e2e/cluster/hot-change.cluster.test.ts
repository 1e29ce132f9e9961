/** Informers on a kind that a store begins to serve while everything runs. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { Scope, Verb } from "../../../gen/annex/store/v1/catalog_pb.js";
import { createMemoryStore, memoryCapabilities } from "../../../stores/memory/store.ts";
import type { ResourceDescription, Store } from "../../../stores/sdk/sdk.ts";
import { eventually } from "../../support/eventually.ts";
import { startTestGateway } from "../../support/gateway.ts";
import { goClients, startGoClients } from "./go-clients.ts";
import { buildGoProgram } from "./go-program.ts";

const group = "hot.annex.dev";
const verbs = [Verb.GET, Verb.LIST, Verb.WATCH, Verb.CREATE, Verb.UPDATE, Verb.DELETE];

function resource(plural: string, kind: string): ResourceDescription {
  const base = { group, plural, kind, scope: Scope.CLUSTER, storageVersion: "v1", verbs };
  return { ...base, versions: [{ name: "v1", served: true }], capabilities: [...memoryCapabilities] };
}

test("client-go's informers and a controller see a new kind and its objects in seconds", async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "annex-hot-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const program = await buildGoProgram("clients", folder);
  let resources = [resource("apples", "Apple")];
  const listeners = new Set<() => void>();
  const store: Store = {
    ...createMemoryStore([]),
    get resources() {
      return resources;
    },
    onResourcesChange(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
  const gateway = await startTestGateway({ stores: { fruit: store } });
  t.after(async () => await gateway.stop());
  const path = `/apis/${group}/v1/pears`;
  assert.equal((await gateway.ask(path)).status, 404);
  resources = [...resources, resource("pears", "Pear")];
  for (const listener of listeners) listener();
  await eventually(async () => (await gateway.ask(path)).status === 200, "pears are served");
  const kubeconfig = await gateway.kubeconfig();
  const clients = startGoClients(program, { kubeconfig, group, version: "v1", plural: "pears", kind: "Pear" });
  t.after(async () => await clients.stop());
  const saw = (event: string, name?: string) =>
    goClients.every((client) =>
      clients.seen().some((one) => one.client === client && one.event === event && one.name === name),
    );
  await eventually(() => saw("synced"), "all are synced");
  const body = { apiVersion: `${group}/v1`, kind: "Pear", metadata: { name: "p" } };
  assert.equal((await gateway.ask(path, { method: "POST", body })).status, 201);
  const sees = ({ client, event, name }: { client: string; event: string; name?: string }) =>
    name === "p" && event === (client === "manager" ? "reconciled" : "added");
  await eventually(
    () => goClients.every((client) => clients.seen().some((one) => one.client === client && sees(one))),
    "all see the pear",
  );
  assert.deepEqual(
    clients.seen().filter((one) => one.event === "error"),
    [],
  );
});
