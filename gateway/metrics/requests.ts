/**
 * What clients ask and what they get: apiserver_request_total and its kin.
 *
 * Every request is counted, also one that was refused before it came to a verb. What lasts (a watch, a
 * stream) is counted when it ends, as kube-apiserver does. Labels name only what is served: a
 * resource, a subresource or a path that isn't, is `""`.
 * Source: apiserver pkg/endpoints/metrics/metrics.go.
 */
import type { RequestInfo } from "../apimachinery/request-info.ts";
import type { ServedResource } from "../apimachinery/resource.ts";
import { type Counter, counter, exponentialBuckets, type Family, gauge, type Histogram, histogram } from "./family.ts";

/** One request, as far as labels go. */
export interface SeenRequest {
  readonly method: string;
  /** Undefined: its path can't be read. */
  readonly info: RequestInfo | undefined;
  /** Values of `dryRun`. */
  readonly dryRun: readonly string[];
  readonly contentType: string | undefined;
  /** Undefined: it is about nothing that is served. */
  readonly resource: ServedResource | undefined;
}

/** What became of it. */
export interface RequestOutcome {
  readonly code: number;
  /** Of the body as sent; undefined for what lasts. */
  readonly bytes: number | undefined;
  readonly seconds: number;
}

/** Counts requests. */
export interface RequestMetrics {
  readonly families: readonly Family[];
  /** Takes a request that is answered, or whose stream has ended. */
  answered(request: SeenRequest, outcome: RequestOutcome): void;
  /** Takes a stream that begins. Gives what to call at its end. */
  lasting(request: SeenRequest): () => void;
}

/** The methods that have a name of their own. */
const knownMethods = new Set(["GET", "POST", "PUT", "PATCH", "DELETE"]);
const connectSubresources = new Set(["log", "exec", "portforward", "attach", "proxy"]);
const ownSubresources = new Set(["", "status", "scale"]);
/** Paths that are no resource's, which stand where a subresource would. */
const ownPaths = new Set([
  ...["/", "/apis", "/apis/", "/healthz", "/livez", "/metrics", "/metrics/slis"],
  ...["/openapi/v2", "/openapi/v3", "/readyz", "/version"],
]);
const component = "apiserver";
/** Series that are found at once: more than there are while stores describe the same resources. */
const maxKnown = 10_000;

interface SeriesOfRequest {
  readonly duration: Histogram;
  readonly sizes: Histogram | undefined;
  readonly codes: Map<number, Counter>;
}

interface Labels {
  readonly verb: string;
  readonly dryRun: string;
  readonly group: string;
  readonly version: string;
  readonly resource: string;
  readonly subresource: string;
  readonly scope: string;
}

/** Makes the families. */
export function createRequestMetrics(): RequestMetrics {
  const total = counter({
    name: "apiserver_request_total",
    help: "Requests by what they asked and the code of their answer.",
    labels: ["verb", "dry_run", "group", "version", "resource", "subresource", "scope", "component", "code"],
  });
  const duration = histogram({
    name: "apiserver_request_duration_seconds",
    help: "Time from a request's arrival to its answer, or to the end of its stream.",
    labels: ["verb", "dry_run", "group", "version", "resource", "subresource", "scope", "component"],
    buckets: [
      ...[0.005, 0.025, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1, 1.25, 1.5, 2, 3],
      ...[4, 5, 6, 8, 10, 15, 20, 30, 45, 60],
    ],
  });
  const sizes = histogram({
    name: "apiserver_response_sizes",
    help: "Bytes of the answers to reads, as sent.",
    labels: ["verb", "group", "version", "resource", "subresource", "scope", "component"],
    buckets: exponentialBuckets(1000, 10, 7),
  });
  const lasting = gauge({
    name: "apiserver_longrunning_requests",
    help: "Watches and other streams that are open.",
    whole: "sum",
    labels: ["verb", "group", "version", "resource", "subresource", "scope", "component"],
  });
  const known = new Map<string, SeriesOfRequest>();

  function seriesOf(labels: Labels): SeriesOfRequest {
    const { verb, dryRun, group, version, resource, subresource, scope } = labels;
    const key = `${verb} ${dryRun} ${group} ${version} ${resource} ${subresource} ${scope}`;
    let series = known.get(key);
    if (series === undefined) {
      const isRead = verb === "GET" || verb === "LIST";
      series = {
        duration: duration.with(verb, dryRun, group, version, resource, subresource, scope, component),
        sizes: isRead ? sizes.with(verb, group, version, resource, subresource, scope, component) : undefined,
        codes: new Map(),
      };
      // What stores no longer describe must not stay for ever.
      if (known.size >= maxKnown) known.clear();
      known.set(key, series);
    }
    return series;
  }

  function countOf(series: SeriesOfRequest, labels: Labels, code: number): Counter {
    const { verb, dryRun, group, version, resource, subresource, scope } = labels;
    const found =
      series.codes.get(code) ??
      total.with(verb, dryRun, group, version, resource, subresource, scope, component, String(code));
    series.codes.set(code, found);
    return found;
  }

  return {
    families: [total, duration, sizes, lasting],
    answered(request, { code, bytes, seconds }) {
      const labels = labelsOf(request);
      const series = seriesOf(labels);
      countOf(series, labels, code).add();
      series.duration.observe(seconds);
      if (bytes !== undefined) series.sizes?.observe(bytes);
    },
    lasting(request) {
      const { verb, group, version, resource, subresource, scope } = labelsOf(request);
      const open = lasting.with(verb, group, version, resource, subresource, scope, component);
      open.add(1);
      return () => open.add(-1);
    },
  };
}

function labelsOf(request: SeenRequest): Labels {
  const { info, resource } = request;
  const scope = info === undefined ? "" : scopeOf(info);
  return {
    verb: verbOf(request, scope),
    dryRun: dryRunOf(request.dryRun),
    group: resource?.definition.group ?? "",
    version: resource?.version.name ?? "",
    resource: resource?.definition.plural ?? "",
    subresource: info === undefined ? "" : subresourceOf(info, resource),
    scope,
  };
}

function scopeOf(info: RequestInfo): string {
  if (info.name !== "" || info.verb === "create") return "resource";
  if (info.namespace !== "") return "namespace";
  return info.isResourceRequest ? "cluster" : "";
}

/** A method, but for reads of collections, watches, applies and connections, which no method tells. */
function verbOf({ method, info, contentType }: SeenRequest, scope: string): string {
  if (info?.isResourceRequest === true && connectSubresources.has(info.subresource)) return "CONNECT";
  if (info?.verb === "watch") return "WATCH";
  if (method === "GET" || method === "HEAD") return scope === "resource" || scope === "" ? "GET" : "LIST";
  if (method === "PATCH" && contentType === "application/apply-patch+yaml") return "APPLY";
  return knownMethods.has(method) ? method : "other";
}

function dryRunOf(values: readonly string[]): string {
  if (values.length === 0) return "";
  return values.every((value) => value === "All") ? "All" : "invalid";
}

function subresourceOf({ isResourceRequest, path, subresource }: RequestInfo, resource: ServedResource | undefined) {
  if (!isResourceRequest) return ownPaths.has(path) ? path : "";
  if (resource === undefined) return "";
  const isKnown =
    ownSubresources.has(subresource) || resource.definition.subresources.some(({ name }) => name === subresource);
  return isKnown ? subresource : "";
}
