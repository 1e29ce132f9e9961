/**
 * Objects in other versions of a resource whose store converts them, for a computation that can't wait.
 *
 * What it asks for and isn't known yet ends it; whoever runs it has that converted, and runs it again with
 * what has become known. So it stays pure, and where versions differ by their apiVersion alone it has no
 * part of this.
 * Source: apimachinery pkg/util/managedfields/internal/versionconverter.go; apiextensions-apiserver
 * pkg/apiserver/conversion/webhook_converter.go.
 */
import { encodeJson, isJsonObject, type JsonObject, parseJson } from "../apimachinery/json.ts";
import { StatusError } from "../apimachinery/status.ts";
import { ApplyError } from "./apply-error.ts";

/** An object, as JSON, and the version that it is wanted in. */
export interface Wanted {
  readonly apiVersion: string;
  readonly json: string;
}

/** Ends a computation that needs these first. None is known. */
export class ConversionsWanted extends Error {
  override readonly name = "ConversionsWanted";
  readonly wanted: readonly Wanted[];

  constructor(wanted: readonly Wanted[]) {
    super(`${wanted.length} conversions`);
    this.wanted = wanted;
  }
}

/** What became of a conversion. */
export type Converted = { readonly json: Uint8Array } | { readonly failure: string };

/** What is known, by version and object. */
export type KnownConversions = Map<string, Converted>;

/** The conversions of one run of a computation. */
export interface Conversions {
  /** Has what is needed of these converted together. @throws ConversionsWanted */
  expect(objects: readonly JsonObject[], apiVersions: Iterable<string>): void;
  /** Gives an object in a version. @throws ConversionsWanted. ApplyError if it can't be converted. */
  convert(object: JsonObject, apiVersion: string): JsonObject;
}

/** @param hub the version by which objects come from any other into a third one. */
export function createConversions(known: KnownConversions, hub: string): Conversions {
  function expect(objects: readonly JsonObject[], apiVersions: Iterable<string>): void {
    const wanted = new Map<string, Wanted>();
    for (const apiVersion of apiVersions) {
      for (const object of objects) {
        if (object["apiVersion"] === apiVersion || isNothing(object)) continue;
        const one = { apiVersion, json: encodeJson(object) };
        if (!known.has(keyOf(one))) wanted.set(keyOf(one), one);
      }
    }
    if (wanted.size > 0) throw new ConversionsWanted([...wanted.values()]);
  }

  function convert(object: JsonObject, apiVersion: string): JsonObject {
    const from = object["apiVersion"];
    if (from === apiVersion) return object;
    if (isNothing(object)) return { ...object, apiVersion };
    if (from !== hub && apiVersion !== hub) return convert(convert(object, hub), apiVersion);
    expect([object], [apiVersion]);
    const converted = known.get(keyOf({ apiVersion, json: encodeJson(object) })) as Converted;
    if ("failure" in converted) throw new ApplyError(converted.failure);
    const value = parseJson(converted.json);
    if (!isJsonObject(value)) throw new TypeError("what was converted is no object");
    return value;
  }

  return { expect, convert };
}

function keyOf({ apiVersion, json }: Wanted): string {
  return `${apiVersion} ${json}`;
}

/** What isn't there yet isn't there in any version. */
function isNothing(object: JsonObject): boolean {
  return Object.keys(object).every((field) => field === "apiVersion" || field === "kind");
}

/**
 * Gives objects in a version, in the same order and number.
 * @throws StatusError in the words of a conversion webhook that failed.
 */
export type Convert = (apiVersion: string, objects: readonly Uint8Array[]) => Promise<readonly Uint8Array[]>;

/**
 * Runs a computation until it has all that it wants. A version's objects are converted in one call.
 * @param convert undefined: versions differ by their apiVersion alone, and it is run once, here and now.
 */
export function withConversions<T>(
  convert: Convert | undefined,
  work: (known?: KnownConversions) => T | Promise<T>,
): T | Promise<T> {
  return convert === undefined ? work() : converting(convert, work);
}

async function converting<T>(convert: Convert, work: (known: KnownConversions) => T | Promise<T>): Promise<T> {
  const known: KnownConversions = new Map();
  for (;;) {
    try {
      return await work(known);
    } catch (error) {
      if (!(error instanceof ConversionsWanted)) throw error;
      const versions = Map.groupBy(error.wanted, ({ apiVersion }) => apiVersion);
      await Promise.all([...versions.values()].map((wanted) => learn(convert, known, wanted)));
    }
  }
}

/** Of what can't be converted together each is tried by itself: a failure is told of the object that it is about. */
async function learn(convert: Convert, known: KnownConversions, wanted: readonly Wanted[]): Promise<void> {
  const [first] = wanted as [Wanted];
  const objects = wanted.map(({ json }) => Buffer.from(json));
  try {
    const jsons = await convert(first.apiVersion, objects);
    for (const [index, one] of wanted.entries()) known.set(keyOf(one), { json: jsons[index] as Uint8Array });
  } catch (error) {
    if (!(error instanceof StatusError)) throw error;
    if (wanted.length === 1) known.set(keyOf(first), { failure: error.message });
    else await Promise.all(wanted.map((one) => learn(convert, known, [one])));
  }
}
