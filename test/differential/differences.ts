/**
 * Where Annex's answer may be another one than kube-apiserver's, and why.
 *
 * Each entry is one field or message. None may cover more than 0.5 % of the requests, there are at
 * most 25, and one that no longer shows fails the run: then it goes.
 */
import type { JsonValue } from "../../gateway/apimachinery/json.ts";
import type { Difference } from "./compare.ts";
import type { Compared } from "./run.ts";

/** One known difference. All that stands must match. */
export interface KnownDifference {
  readonly name: string;
  readonly reason: string;
  /** The request's method and path. */
  readonly request?: RegExp;
  /** Its Accept header. */
  readonly accept?: RegExp;
  readonly at: RegExp;
  /** kube-apiserver's value as text; JSON unless it is a string. */
  readonly expected?: RegExp;
  readonly found?: RegExp;
  /** True: both texts have the same characters, in another order. */
  readonly isReordered?: boolean;
}

/** Most entries that there may be, and the most of all requests that one may cover. */
export const maxKnownDifferences = 25;
export const maxShare = 0.005;

/** All of them. */
export const knownDifferences: readonly KnownDifference[] = [
  {
    name: "protobuf",
    reason:
      "Annex speaks JSON and YAML; kube-apiserver encodes discovery and failures as protobuf where it is asked for.",
    accept: /protobuf/,
    at: /^(status|header content-type|form|body)$/,
  },
  {
    name: "the value of a YAML key that is null",
    reason: "Annex knows only the key by the time that it refuses it; go-yaml shows its value too.",
    at: /message$/,
    expected: /unsupported map key of type: %!s\(<nil>\)/,
  },
  {
    name: "history before the start",
    reason:
      "Annex's stores keep their log over a restart, kube-apiserver's cache begins where it started: it has no events from before.",
    request: /watch=.*resourceVersion=[12](&|$)/,
    at: /^body\[\d+\]/,
  },
  {
    name: "the key of a dry run's precondition",
    reason: "kube-apiserver names its key without /registry where it only tries; the key is of no use to a client.",
    request: /dryRun=All/,
    at: /message$/,
    expected: /Key: \/differential/,
  },
  {
    name: "a patch's own order of keys in the text of a refusal",
    reason:
      "kube-apiserver quotes what a JSON patch added as it was sent; Annex quotes the object as it would be written.",
    request: /^PATCH/,
    at: /message$/,
    isReordered: true,
  },
  {
    name: "the apiVersion of the list of groups",
    reason: "kube-apiserver marks the list that it merges from all its servers v1; a server behind it doesn't.",
    request: /^\w+ \/apis\/?$/,
    at: /^body\.apiVersion$/,
  },
  {
    name: "the groups of other servers",
    reason: "kube-apiserver lists its own groups too, in an order of its own.",
    request: /^\w+ \/apis\/?$/,
    at: /^body\.groups\[/,
  },
];

/** Gives the entry that a difference falls under. */
export function knownAs({ step }: Pick<Compared, "step">, { at, expected, found }: Difference): string | undefined {
  const text = (value: JsonValue | undefined) => (typeof value === "string" ? value : (JSON.stringify(value) ?? ""));
  return knownDifferences.find(
    (known) =>
      known.at.test(at) &&
      (known.request?.test(`${step.method} ${step.path}`) ?? true) &&
      (known.accept?.test(step.headers?.["accept"] ?? "") ?? true) &&
      (known.expected?.test(text(expected)) ?? true) &&
      (known.found?.test(text(found)) ?? true) &&
      (known.isReordered !== true || [...text(expected)].sort().join() === [...text(found)].sort().join()),
  )?.name;
}
