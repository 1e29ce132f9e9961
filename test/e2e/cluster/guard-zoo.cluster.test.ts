/** client-go's informers, with WatchList, behind a gateway whose store lies of its revisions: they end with what is there. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, type TestContext, test } from "node:test";
import { resource } from "../../contract/contract.testing.ts";
import type { WholeStore } from "../../contract/zoo/honest.ts";
import { mutants } from "../../contract/zoo/zoo.ts";
import { eventually } from "../../support/eventually.ts";
import { startTestGateway } from "../../support/gateway.ts";
import { createZoo, reasonsIn, stateOf, textOf } from "../zoo-store.ts";
import { patience } from "./cluster.ts";
import { buildGoProgram } from "./go-program.ts";
import { startInformers } from "./informers.ts";

/** One that lies now and then, and one that lies whenever a watch begins. */
const liars = ["old-delete-revision", "lookback"];

describe("client-go's informers end with what the store lists, behind", { concurrency: true }, () => {
  for (const name of liars) test(name, (t) => follow(t, name));
});

async function follow(t: TestContext, name: string): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "annex-guard-zoo-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const program = await buildGoProgram("informers", folder);
  const mutant = mutants.find((one) => one.name === name);
  const zoo = createZoo(() => mutant?.make()[0]?.store as WholeStore, 1);
  await zoo.begin();
  const gateway = await startTestGateway({ stores: { zoo: zoo.served() } });
  t.after(() => gateway.stop());
  const { group, version, plural } = resource;
  const informers = startInformers([program], {
    ...{ kubeconfig: await gateway.kubeconfig(), group, version, plural, count: 2 },
  });
  t.after(() => informers.stop());
  await eventually(() => informers.synced().length === 2, "both sync", patience);
  let round = 0;
  await eventually(
    async () => {
      round += 1;
      await zoo.write(round, 0);
      if (round % 5 === 0) zoo.forget();
      return reasonsIn(gateway).length > 0;
    },
    "the guard sees it",
    patience,
  );
  await zoo.rest();
  const wanted = stateOf(await zoo.list());
  const states = async () => [...(await informers.states()).values()].map((state) => textOf(Object.entries(state)));
  await eventually(
    async () => (await states()).every((state) => state === wanted),
    "both have what is there",
    patience,
  );
  assert.ok(informers.relists().length > 0, "neither was told to begin anew");
}
