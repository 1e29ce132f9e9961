/** kubectl against `annex dev`: each command over a small kind, and over real ones. */
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { root } from "../support/checkout.ts";
import { type Dev, startDev } from "../support/dev.ts";
import { describeKubectl } from "./kubectl-commands.ts";
import { projects } from "./real-objects.ts";
import { httpRoute, prometheus, widget } from "./subjects.ts";

const realData = process.env["ANNEX_REAL_DATA"];
const crds = [join(root, "stores/sql/examples")];
if (realData !== undefined) crds.push(...projects.map((project) => join(realData, project, "crds")));

describe("annex dev", () => {
  let dev: Dev;
  const host = () => ({ kubeconfig: dev.kubeconfig, hasNamespaces: false, collectsGarbage: false });
  before(async () => {
    dev = await startDev({ crds });
  });
  after(async () => {
    await dev.stop();
  });
  describeKubectl(widget, host);
  if (realData === undefined) test("the real definitions", { skip: "ANNEX_REAL_DATA is not set" }, () => {});
  else for (const subject of [httpRoute, prometheus]) describeKubectl(subject, host);
});
