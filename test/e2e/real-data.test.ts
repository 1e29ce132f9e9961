/** Every real object through kubectl, gateway and store; skipped by name where there is no real data. */
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { type Dev, startDev } from "../support/dev.ts";
import { describeRealObjects, projects } from "./real-objects.ts";

const realData = process.env["ANNEX_REAL_DATA"];

if (realData === undefined) {
  test(`the objects of ${projects.join(" and ")}`, { skip: "ANNEX_REAL_DATA is not set" }, () => {});
} else {
  describe("annex dev", () => {
    let dev: Dev;
    before(async () => {
      dev = await startDev({ crds: projects.map((project) => join(realData, project, "crds")) });
    });
    after(async () => {
      await dev.stop();
    });
    describeRealObjects(realData, () => ({ kubeconfig: dev.kubeconfig, hasNamespaces: false, collectsGarbage: false }));
  });
}
