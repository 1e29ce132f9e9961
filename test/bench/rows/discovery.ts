/**
 * What kube-apiserver and kubectl ask a gateway before anything else, while its store is dead.
 *
 * A p99 is the best of some rounds: who else is on the machine adds to each, and more than all that is measured.
 */
import { startColumns } from "../columns.ts";
import { startLoad } from "../load/load.ts";
import { alternating } from "../rounds.ts";
import type { Figure, Row } from "../row.ts";

const connections = 4;
const operations = 200;
const rounds = 6;
const maxP99Ms = 50;

const paths = [
  "/apis",
  "/apis/wardle.example.com",
  "/apis/wardle.example.com/v1beta1",
  "/openapi/v2",
  "/openapi/v3",
  "/openapi/v3/apis/wardle.example.com/v1beta1",
  "/readyz",
];
const aggregated = { Accept: "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList" };

export const discovery: Row = {
  name: "discovery",
  about: `discovery, OpenAPI and readiness with every store dead, ${connections} in flight`,
  async run() {
    const load = startLoad();
    const columns = await startColumns();
    try {
      const { target, subject } = columns.annex;
      await subject.killStores();
      const figures: Figure[] = [];
      const measure = async (what: string, path: string, headers = {}) => {
        const ask = () => load.request({ target, path, headers, connections, until: { operations } });
        const p99 = async () => (await ask()).p99Ms;
        const { annex } = await alternating(rounds, (values) => Math.min(...values), { annex: p99 });
        figures.push({ what: `${what}: p99`, unit: "ms", annex, target: { atMost: maxP99Ms } });
      };
      for (const path of paths) await measure(path, path);
      await measure("/apis, aggregated", "/apis", aggregated);
      return figures;
    } finally {
      await load.stop();
      await columns.stop();
    }
  },
};
