/**
 * A promise of the contract: its name, its text, what it needs of a store, and the check that fails
 * with what was seen.
 *
 * A promise is skipped only because a store doesn't declare what it needs, never by its name.
 */
import type { Capability, Verb } from "../../gen/annex/store/v1/catalog_pb.js";
import type { Kit } from "./kit.ts";

/** Where a promise stands: from the bytes on the wire to what outlives a killed process. */
export type Level = "wire" | "describe" | "verbs" | "reads" | "watch" | "chaos";
/** In the order in which they are checked. */
export const levels: readonly Level[] = ["wire", "describe", "verbs", "reads", "watch", "chaos"];

/** What a store must declare, or be, for a promise to apply. */
export interface Needs {
  /** Verbs that one resource must have, separated by blanks. */
  readonly verbs?: string;
  readonly has?: readonly (keyof typeof Capability)[];
  readonly lacks?: readonly (keyof typeof Capability)[];
  /** A second resource with the same verbs. */
  readonly other?: boolean;
  readonly isNamespaced?: boolean;
  /** A watch that the gateway makes of lists. */
  readonly polled?: boolean;
  /** One revision counter for the whole store. */
  readonly storeScope?: boolean;
  /** A protocol beside gRPC, or an optional service. */
  readonly offers?: "connect" | "reflection" | "status" | "watchDescription" | "session";
  /** An imperative kind, or a custom subresource that is called once, or streams. */
  readonly action?: "create" | "unary" | "stream";
  /** More than one address. */
  readonly replicas?: boolean;
  /** A process that can be killed and paused. */
  readonly process?: boolean;
}

/** One promise. */
export interface ContractPromise {
  readonly level: Level;
  /** `create.taken-name`; unique. */
  readonly name: string;
  /** A sentence that holds for every store that keeps it. */
  readonly text: string;
  readonly needs: Needs;
  /** @throws Broken if the store doesn't keep it. */
  check(kit: Kit): Promise<void>;
  /** Longest time that it may take. */
  readonly timeoutMs?: number;
}

/** A promise is broken; the message says what was seen. */
export class Broken extends Error {
  override readonly name = "Broken";
  /** The calls that show it, oldest first. Undefined: the promise's last ones. */
  readonly evidence: readonly string[] | undefined;
  constructor(message: string, evidence?: readonly string[]) {
    super(message);
    this.evidence = evidence;
  }
}

/** Makes the function that declares promises of one level. */
export function promisesOf(level: Level) {
  return (
    name: string,
    text: string,
    needs: Needs,
    check: (kit: Kit) => Promise<void>,
    timeoutMs?: number,
  ): ContractPromise => ({ level, name, text, needs, check, ...(timeoutMs === undefined ? {} : { timeoutMs }) });
}

/** @throws Broken with what was seen unless the condition holds. */
export function hold(condition: unknown, seen: string): asserts condition {
  if (!condition) throw new Broken(seen);
}

/** @throws Broken unless the two are written the same. */
export function same(found: unknown, wanted: unknown, what: string): void {
  const [a, b] = [show(found), show(wanted)];
  if (a !== b) throw new Broken(`${what}: found ${a}, wanted ${b}`);
}

/** Longest value that is shown whole. */
const shownLength = 400;

/** Writes a value for people. */
export function show(value: unknown): string {
  if (value instanceof Uint8Array) return show(Buffer.from(value).toString());
  const text =
    JSON.stringify(value, (_, item: unknown) => (typeof item === "bigint" ? `${item}` : item)) ?? String(value);
  return text.length > shownLength ? `${text.slice(0, shownLength)}… (${text.length} characters)` : text;
}

/** Bytes as text. */
export function text(bytes: Uint8Array | undefined): string {
  return Buffer.from(bytes ?? []).toString();
}

/** The verbs' words. */
export type VerbWord = Lowercase<Exclude<keyof typeof Verb, "UNSPECIFIED">>;
