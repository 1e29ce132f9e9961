/**
 * Large definitions arrive at a gateway that serves others: its event loop while it compiles their
 * schemas and makes their documents, and what a small read beside it waits.
 */
import { join } from "node:path";
import { root } from "../../support/checkout.ts";
import { loopFigures, readBeside } from "../beside.ts";
import type { Row } from "../row.ts";
import { startSubject } from "../subject.ts";

/** How long after the last document the event loop is still watched. */
const settleMs = 500;
/** Until the definitions are served; they take about a second. */
const patienceMs = 60_000;

export const definitions: Row = {
  name: "definitions",
  about: "a store with prometheus-operator's definitions joins, and every OpenAPI document is asked for",
  async run({ skip }) {
    const realData = process.env["ANNEX_REAL_DATA"];
    if (realData === undefined) {
      skip("ANNEX_REAL_DATA is not set");
      return [];
    }
    const subject = await startSubject({ crds: join(root, "stores/sql/examples") });
    const client = subject.client();
    try {
      const beside = await readBeside(subject);
      await subject.loop();
      await subject.addStore(join(realData, "prometheus-operator/crds"));
      const group = "/apis/monitoring.coreos.com";
      for (const until = performance.now() + patienceMs; performance.now() < until; ) {
        if ((await client.ask({ path: group })).status === 200) break;
      }
      const index = JSON.parse((await client.ask({ path: "/openapi/v3" })).body) as {
        paths: Record<string, { serverRelativeURL: string }>;
      };
      const documents = [...Object.values(index.paths).map((path) => path.serverRelativeURL), "/openapi/v2"];
      for (const path of documents) {
        const headers = { "accept-encoding": "gzip" };
        const { status } = await client.ask({ path, headers });
        if (status !== 200) throw new Error(`${path} was answered with ${status}`);
      }
      await new Promise<void>((resolve) => setTimeout(resolve, settleMs));
      return [...loopFigures("", await subject.loop()), ...(await beside.stop(""))];
    } finally {
      client.close();
      await subject.stop();
    }
  },
};
