/**
 * What counting costs: a get's share, an event's share of a watch, and a scrape of many series.
 *
 * In this process, without a gateway around it: the figures are a hundredth of what a request costs, which
 * no measurement of requests would show.
 */
import { setImmediate } from "node:timers/promises";
import type { RequestInfo } from "../../../gateway/apimachinery/request-info.ts";
import { definitionWith } from "../../../gateway/apimachinery/resource.fixture.ts";
import type { ServedResource } from "../../../gateway/apimachinery/resource.ts";
import { createMetrics, type Metrics } from "../../../gateway/metrics/metrics.ts";
import type { Figure, Row } from "../row.ts";

/** Rounds of so many; the quickest is what it costs, the others are what disturbs. */
const rounds = 12;
const atOnce = 50_000;
/** Resources of a gateway that has much to tell, each asked for in every way. */
const resources = 200;

export const metrics: Row = {
  name: "metrics",
  about: "counting a get and an event of a watch, and a scrape",
  async run() {
    const counting = createMetrics();
    try {
      const figures = [
        cpuFigure("counting a get: CPU", getOf(counting), 10),
        cpuFigure("counting an event of a watch: CPU", eventOf(counting), 0.1),
      ];
      return [...figures, ...(await scrapeFigures(counting))];
    } finally {
      counting.close();
    }
  },
};

function cpuFigure(what: string, work: () => void, atMost: number): Figure {
  const spent = Array.from({ length: rounds }, () => {
    const before = process.cpuUsage();
    for (let n = 0; n < atOnce; n++) work();
    const { user, system } = process.cpuUsage(before);
    return (user + system) / atOnce;
  });
  return { what, unit: "µs", annex: Math.min(...spent), target: { atMost } };
}

/** All that a get of the latest state is counted by on its way. */
function getOf({ access, inFlight, stores, watches, requests }: Metrics): () => void {
  const resource = resourceOf("widgets");
  const copy = watches.copy(resource.definition, "store");
  const request = { method: "GET", info: infoOf("get", "a"), dryRun: [], contentType: undefined, resource };
  return () => {
    const began = performance.now();
    const seconds = () => (performance.now() - began) / 1000;
    access.authenticated({ result: "success", username: "ann", seconds: seconds() });
    inFlight("readOnly", 1);
    access.decided({ type: "RBAC", name: "files", decision: "allowed" });
    access.authorized({ result: "allowed", seconds: seconds() });
    stores.called({ store: "store", method: "CurrentRevision", code: "OK", seconds: seconds() });
    copy.waited(seconds());
    copy.consistentRead(true);
    inFlight("readOnly", 0);
    requests.answered(request, { code: 200, bytes: 1_000, seconds: seconds() });
  };
}

function eventOf({ watches }: Metrics): () => void {
  const watch = watches.watch(resourceOf("widgets"));
  return () => watch.event(1_000);
}

async function scrapeFigures(counting: Metrics): Promise<Figure[]> {
  for (let n = 0; n < resources; n++) {
    const resource = resourceOf(`things${n}`);
    for (const [method, verb] of [
      ["GET", "get"],
      ["GET", "list"],
      ["GET", "watch"],
      ["POST", "create"],
      ["PUT", "update"],
      ["DELETE", "delete"],
    ] as const) {
      const info = infoOf(verb, verb === "list" || verb === "watch" ? "" : "a");
      const request = { method, info, dryRun: [], contentType: undefined, resource };
      counting.requests.answered(request, { code: 200, bytes: 1_000, seconds: 0.01 });
    }
  }
  const before = process.cpuUsage();
  const turns = longestTurn();
  const figures = { isRegistered: true, version: {}, listener: undefined, stores: [] };
  const answer = await counting.answer({ method: "GET", path: "/metrics" }, () => figures);
  const longest = await turns.stop();
  const { user, system } = process.cpuUsage(before);
  const bytes = answer === undefined ? 0 : Buffer.concat(answer.body as readonly Uint8Array[]).length;
  const about = `a scrape with ${resources} resources`;
  return [
    { what: `${about}: text`, unit: "MB", annex: bytes / 1e6 },
    { what: `${about}: CPU`, unit: "ms", annex: (user + system) / 1e3 },
    { what: `${about}: longest turn of the event loop`, unit: "ms", annex: longest },
  ];
}

/** Watches how long the event loop is held, until told to stop. */
function longestTurn(): { stop(): Promise<number> } {
  let isOver = false;
  let longest = 0;
  const watching = (async () => {
    for (let last = performance.now(); !isOver; ) {
      await setImmediate();
      const now = performance.now();
      longest = Math.max(longest, now - last);
      last = now;
    }
  })();
  return {
    async stop() {
      isOver = true;
      await watching;
      return longest;
    },
  };
}

function resourceOf(plural: string): ServedResource {
  const definition = definitionWith({ plural });
  const [version] = definition.versions;
  if (version === undefined) throw new TypeError("a definition has a version");
  return { definition, version };
}

function infoOf(verb: string, name: string): RequestInfo {
  return {
    isResourceRequest: true,
    path: "/apis/example.com/v1/namespaces/ns/widgets/a",
    verb,
    apiPrefix: "apis",
    apiGroup: "example.com",
    apiVersion: "v1",
    namespace: "ns",
    resource: "widgets",
    subresource: "",
    name,
    parts: [],
    legacyWatch: false,
    fieldSelector: "",
    labelSelector: "",
  };
}
