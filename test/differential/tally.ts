/**
 * What a run found: counts, the rows of errors that it hit, the known differences, and the others.
 */
import { isJsonObject, type JsonValue } from "../../gateway/apimachinery/json.ts";
import { knownAs, knownDifferences, maxKnownDifferences, maxShare } from "./differences.ts";
import type { Compared } from "./run.ts";

/** Kinds of failure that custom resources can give, by the reason of their Status. */
export const errorRows = [
  "NotFound",
  "AlreadyExists",
  "Conflict",
  "Invalid",
  "Unauthorized",
  "Forbidden",
  "BadRequest",
  "MethodNotAllowed",
  "NotAcceptable",
  "UnsupportedMediaType",
  "RequestEntityTooLarge",
  "Expired",
  "InternalError",
  "Timeout",
] as const;
/** Kinds that they can't, each with its reason. */
export const impossibleRows: Readonly<Record<string, string>> = {
  Gone: "kube-apiserver gives Expired for what is gone",
  TooManyRequests: "only a server that is overloaded, or whose cache isn't filled yet, gives it",
  ServerTimeout: "only servers with a store of their own give it; the registry of custom resources never does",
  ServiceUnavailable: "only an aggregated API that can't be reached gives it",
  StorageReadError: "only an object that etcd holds broken gives it",
};

/** A run's figures; each compared request is added once. */
export interface Tally {
  requests: number;
  readonly families: Map<string, number>;
  readonly rows: Map<string, number>;
  /** By entry: how many requests it covers. */
  readonly known: Map<string, number>;
  readonly unexplained: Compared[];
}

/** An empty one. */
export function createTally(): Tally {
  return { requests: 0, families: new Map(), rows: new Map(), known: new Map(), unexplained: [] };
}

/** Adds requests. A request with one unexplained difference is unexplained, with those only. */
export function addTo(tally: Tally, all: readonly Compared[]): void {
  for (const compared of all) {
    tally.requests++;
    count(tally.families, compared.scenario.family);
    for (const row of rowsOf(compared.expected.body)) count(tally.rows, row);
    const names = compared.differences.map((difference) => knownAs(compared, difference));
    for (const name of new Set(names)) if (name !== undefined) count(tally.known, name);
    const differences = compared.differences.filter((_, index) => names[index] === undefined);
    if (differences.length > 0) tally.unexplained.push({ ...compared, differences });
  }
}

function count(counts: Map<string, number>, key: string): void {
  counts.set(key, (counts.get(key) ?? 0) + 1);
}

/** The reason of a Status, and those of a watch's error events. */
function rowsOf(body: JsonValue): string[] {
  if (Array.isArray(body)) return body.flatMap((event) => (isJsonObject(event) ? rowsOf(event["object"] ?? null) : []));
  if (!isJsonObject(body) || body["status"] !== "Failure") return [];
  return [typeof body["reason"] === "string" ? body["reason"] : "Unknown"];
}

/**
 * Gives what is wrong with a run, a line each.
 *
 * @param options.isWhole whether every known difference must show and keep to its share. Default true.
 */
export function faultsOf(tally: Tally, { isWhole = true }: { readonly isWhole?: boolean } = {}): string[] {
  const tooMany = knownDifferences.length > maxKnownDifferences;
  return [
    ...(tally.unexplained.length > 0 ? [`${tally.unexplained.length} requests differ without an explanation`] : []),
    ...(tooMany ? [`more than ${maxKnownDifferences} known differences`] : []),
    ...knownDifferences.flatMap(({ name }) => {
      if (!isWhole) return [];
      const covered = tally.known.get(name) ?? 0;
      if (covered === 0) return [`the known difference "${name}" shows no more: take it out`];
      return covered > maxShare * tally.requests ? [`the known difference "${name}" covers ${covered} requests`] : [];
    }),
  ];
}

/** Gives the scenarios that have unexplained differences by class, the most frequent first: place and values without what varies in them. */
export function classesOf(tally: Tally): { title: string; count: number; example: Compared }[] {
  const classes = new Map<string, { title: string; count: number; example: Compared }>();
  const scenarios = new Set<Compared["scenario"]>();
  for (const compared of tally.unexplained) {
    // A scenario counts by its first request, that under its first difference: the others mostly follow from it.
    if (scenarios.has(compared.scenario)) continue;
    scenarios.add(compared.scenario);
    const first = compared.differences.find(({ at }) => at === "status") ?? compared.differences[0];
    if (first === undefined) continue;
    const place = first.at.replaceAll(/\[\d+\]/g, "[]");
    const how =
      first.at === "status"
        ? `${first.expected} became ${first.found}`
        : `${short(first.expected, 50)} became ${short(first.found, 50)}`;
    const title = `${compared.scenario.family} ${compared.step.method}, ${place}: ${how.replaceAll(/\d+/g, "N")}`;
    const known = classes.get(title);
    if (known === undefined) classes.set(title, { title, count: 1, example: compared });
    else known.count++;
  }
  return [...classes.values()].sort((a, b) => b.count - a.count);
}

/** One request with its differences, for people. */
export function describe({ step, expected, found, differences }: Compared): string {
  const body = step.body === undefined ? "" : ` ${short(step.body as JsonValue, 300)}`;
  const headers = step.headers === undefined ? "" : ` ${JSON.stringify(step.headers)}`;
  // Where the status differs, so does all else.
  const isOther = differences.some(({ at }) => at === "status");
  const told = isOther ? differences.filter(({ at }) => /^(status|body|body\.message)$/.test(at)) : differences;
  const lines = told.map(
    ({ at, expected, found }) => `    ${at}\n      - ${short(expected, 600)}\n      + ${short(found, 600)}`,
  );
  return [`  ${step.method} ${step.path}${headers}${body} (${expected.status}, ${found.status})`, ...lines].join("\n");
}

function short(value: JsonValue | undefined, length: number): string {
  const text = value === undefined ? "nothing" : typeof value === "string" ? value : JSON.stringify(value);
  return text.length > length ? `${text.slice(0, length)}…` : text;
}
