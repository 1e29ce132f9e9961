/**
 * How a list shows each of its objects, for whoever puts their bytes together.
 *
 * render says what an object looks like and how long, the copy keeps what it joined for as long.
 */
import type { ObjectView } from "./object.ts";

/** How the objects of one list are shown. */
export interface ItemForm {
  /** Forms of the same name show an object of a version by the same bytes at the same time. */
  readonly name: string;
  /** When they are shown, in ms since 1970. */
  readonly nowMs: number;
  show(view: ObjectView): ShownItem;
}

/** An object's bytes, in pieces, and when they are those. */
export interface ShownItem extends TimeSpan {
  readonly pieces: readonly Uint8Array[];
}

/** From a moment (inclusive) to another (exclusive), in ms since 1970. */
export interface TimeSpan {
  readonly fromMs: number;
  readonly untilMs: number;
}

/** What doesn't change with time. */
export const always: TimeSpan = { fromMs: Number.NEGATIVE_INFINITY, untilMs: Number.POSITIVE_INFINITY };

/** Gives the time that two spans have in common. */
export function bothSpans(one: TimeSpan, other: TimeSpan): TimeSpan {
  return { fromMs: Math.max(one.fromMs, other.fromMs), untilMs: Math.min(one.untilMs, other.untilMs) };
}

/** Whether a moment is in a span. */
export function isWithin({ fromMs, untilMs }: TimeSpan, atMs: number): boolean {
  return fromMs <= atMs && atMs < untilMs;
}
