/**
 * Figures for Prometheus: each counter, gauge and histogram is declared once, in this room, and other
 * rooms are handed functions that they tell facts to.
 *
 * Names and buckets are kube-apiserver's where it has them, so that its dashboards and alerts fit;
 * `annex_*` for the rest. Series are plain numbers, found by one look into a map: prom-client, which
 * hashes and checks the labels at each observation, was forty times as dear.
 * Source: apiserver pkg/server/routes/metrics.go; component-base metrics.
 */
import type { HttpAnswer } from "../apimachinery/http.ts";
import type { JsonObject } from "../apimachinery/json.ts";
import { StatusError, serviceUnavailable } from "../apimachinery/status.ts";
import { type AccessMetrics, createAccessMetrics } from "./access.ts";
import { formatFamilies, textMediaType } from "./exposition.ts";
import { counter, type Family, gauge, type Peak, peak } from "./family.ts";
import { createListenerMetrics, type ListenerFigures } from "./listener.ts";
import { createProcessMetrics } from "./process.ts";
import { createRequestMetrics, type RequestMetrics } from "./requests.ts";
import { createStoreMetrics, type StoreFigures, type StoreMetrics } from "./stores.ts";
import { createWatchMetrics, type WatchMetrics } from "./watches.ts";
import { createWholeText } from "./whole.ts";
import { createWorkersMetrics } from "./workers.ts";

export type { RequestMetrics, SeenRequest } from "./requests.ts";
export type { FeedFigures, StoreFigures } from "./stores.ts";

/** What is read when somebody looks. */
export interface Figures {
  /** Whether kube-apiserver's aggregation layer has asked for anything yet. */
  readonly isRegistered: boolean;
  /** The document of `/version`. */
  readonly version: JsonObject;
  /** Undefined: the gateway doesn't listen by itself. */
  readonly listener: ListenerFigures | undefined;
  readonly stores: readonly StoreFigures[];
}

/** A request to `/metrics` or `/metrics/slis`. */
export interface FiguresRequest {
  readonly method: string;
  readonly path: string;
}

/** All figures of one gateway, from its creation until `close`. */
export interface Metrics {
  readonly requests: RequestMetrics;
  readonly access: AccessMetrics;
  readonly watches: WatchMetrics;
  readonly stores: StoreMetrics;
  /** Takes how many requests of a kind are in flight. */
  inFlight(kind: "readOnly" | "mutating", requests: number): void;
  /** Takes what a health check said. */
  checked(name: string, endpoint: string, isFine: boolean): void;
  /** Answers `/metrics` and `/metrics/slis`; undefined for another path. DELETE begins to count anew. */
  answer(request: FiguresRequest, figures: () => Figures): Promise<HttpAnswer> | undefined;
  close(): void;
}

/** Makes the families. */
export function createMetrics(): Metrics {
  return createFigures().metrics;
}

/** Figures of several processes. */
export interface WholeMetrics {
  /**
   * Answers with the text for all of them: GET sums up, DELETE begins to count anew.
   * @param texts what each process answered to the same request, by a number that no other ever has; undefined: nothing.
   */
  sum(request: FiguresRequest, texts: ReadonlyMap<number, string | undefined>): Promise<string>;
  /** Takes how many processes there are in each state. */
  counted(workers: { readonly starting: number; readonly ready: number }): void;
  /** A process that should have gone on is gone; what it counted stays. */
  died(process: number): void;
  close(): void;
}

/** Makes what sums up, and has figures of its own: this process's, and those about the others. */
export function createWholeMetrics(): WholeMetrics {
  const { metrics, families, process } = createFigures();
  const workers = createWorkersMetrics();
  const whole = createWholeText([...families, ...workers.families]);
  const ownAt = (path: string) => (path === "/metrics" ? [...process.families, ...workers.families] : []);
  return {
    async sum({ method, path }, texts) {
      if (method === "DELETE") {
        whole.reset(path);
        for (const family of ownAt(path)) family.reset();
        return resetText;
      }
      process.read();
      workers.silent([...texts.values()].filter((text) => text === undefined).length);
      return await whole.sum(path, texts, ownAt(path));
    },
    counted: workers.counted,
    died(process) {
      workers.died();
      whole.died(process);
    },
    close: metrics.close,
  };
}

/** Gives metrics that count as `own` and answer with what `ask` says for several processes. */
export function answeringForAll(own: Metrics, ask: (request: FiguresRequest) => Promise<string>): Metrics {
  const answer: Metrics["answer"] = (request) => {
    if (!isFiguresPath(request.path)) return undefined;
    return ask(request).then(
      (text) => answerWith(request, [Buffer.from(text)]),
      (error: unknown) => {
        const { status } = serviceUnavailable("the figures of all workers can't be had at the moment", 1);
        throw new StatusError(status, { cause: error });
      },
    );
  };
  return { ...own, answer };
}

function createFigures() {
  const requests = createRequestMetrics();
  const access = createAccessMetrics();
  const watches = createWatchMetrics();
  const stores = createStoreMetrics();
  const listener = createListenerMetrics();
  const process = createProcessMetrics();
  const build = buildInfo();
  const inFlight = peak({
    name: "apiserver_current_inflight_requests",
    help: "The most requests that were in flight at once during the last second, streams apart.",
    labels: ["request_kind"],
    whole: "sum",
  });
  const seats: Record<"readOnly" | "mutating", Peak> = {
    readOnly: inFlight.with("readOnly"),
    mutating: inFlight.with("mutating"),
  };
  const check = gauge({
    name: "kubernetes_healthcheck",
    help: "What a health check said last: 1 that it holds, else 0.",
    labels: ["name", "type"],
    whole: "min",
  });
  const checks = counter({
    name: "kubernetes_healthchecks_total",
    help: "What a health check said.",
    labels: ["name", "type", "status"],
  });
  const slis = [check, checks];
  const families: readonly Family[] = [
    ...requests.families,
    ...access.families,
    ...watches.families,
    ...stores.families,
    ...listener.families,
    ...process.families,
    inFlight,
    build.family,
  ];

  async function textOf(path: string, figures: () => Figures): Promise<readonly Buffer[]> {
    if (path === "/metrics") {
      const now = figures();
      stores.read(now);
      listener.read(now.listener);
      build.read(now.version);
      process.read();
    }
    return await formatFamilies(path === "/metrics" ? families : slis);
  }

  const metrics: Metrics = {
    requests,
    access,
    watches,
    stores,
    inFlight: (kind, count) => seats[kind].set(count),
    checked(name, endpoint, isFine) {
      check.with(name, endpoint).set(Number(isFine));
      checks.with(name, endpoint, isFine ? "success" : "error").add();
    },
    answer(request, figures) {
      const { method, path } = request;
      if (!isFiguresPath(path)) return undefined;
      if (method !== "DELETE") return textOf(path, figures).then((text) => answerWith(request, text));
      for (const family of path === "/metrics" ? families : slis) family.reset();
      return Promise.resolve(answerWith(request, [Buffer.from(resetText)]));
    },
    close: () => process.close(),
  };
  return { metrics, process, families: [...families, ...slis] };
}

/** As kube-apiserver's. */
const resetText = "metrics reset\n";

function isFiguresPath(path: string): boolean {
  return path === "/metrics" || path === "/metrics/slis";
}

function answerWith({ method }: FiguresRequest, body: readonly Buffer[]): HttpAnswer {
  const type = method === "DELETE" ? "text/plain; charset=utf-8" : textMediaType;
  return { status: 200, headers: { "Content-Type": type }, body };
}

/** Says which Kubernetes this is, and whose: a 1 whose labels are what counts. */
function buildInfo(): { readonly family: Family; read(version: JsonObject): void } {
  const family = gauge({
    name: "kubernetes_build_info",
    help: "The version of this server, as /version tells it.",
    labels: [
      ...(["major", "minor", "git_version", "git_commit", "git_tree_state"] as const),
      ...(["build_date", "go_version", "compiler", "platform"] as const),
    ],
  });
  return {
    family,
    read(version) {
      const text = (name: string) => String(version[name] ?? "");
      const whose = [text("gitVersion"), text("gitCommit"), text("gitTreeState"), text("buildDate")] as const;
      const made = [text("goVersion"), text("compiler"), text("platform")] as const;
      family.with(text("major"), text("minor"), ...whose, ...made).set(1);
    },
  };
}
