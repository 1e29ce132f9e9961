/**
 * How old something is, for people: `42s`, `5m10s`, `3h`, `12d`.
 *
 * The older, the coarser. Source: apimachinery pkg/util/duration.
 */
import type { TimeSpan } from "../apimachinery/item-form.ts";

const secondMs = 1_000;
const minuteMs = 60 * secondMs;
const hourMs = 60 * minuteMs;
const dayMs = 24 * hourMs;
const yearMs = 365 * dayMs;

/** Gives an age. Up to two seconds in the future count as now, further ones are `<invalid>`. */
export function formatAge(ageMs: number): string {
  const seconds = Math.trunc(ageMs / 1000);
  if (seconds < -1) return "<invalid>";
  if (seconds < 0) return "0s";
  if (seconds < 120) return `${seconds}s`;
  const minutes = Math.trunc(seconds / 60);
  if (minutes < 10) return two(minutes, "m", seconds % 60, "s");
  if (minutes < 180) return `${minutes}m`;
  const hours = Math.trunc(minutes / 60);
  if (hours < 8) return two(hours, "h", minutes % 60, "m");
  if (hours < 48) return `${hours}h`;
  const days = Math.trunc(hours / 24);
  if (hours < 24 * 8) return two(days, "d", hours % 24, "h");
  if (hours < 24 * 365 * 2) return `${days}d`;
  const years = Math.trunc(days / 365);
  if (hours < 24 * 365 * 8) return two(years, "y", days % 365, "d");
  return `${years}y`;
}

/** Gives the ages, in ms, that read as this one. */
export function sameAges(ageMs: number): TimeSpan {
  const now = { fromMs: 1 - 2 * secondMs, untilMs: secondMs };
  if (ageMs < now.fromMs) return { fromMs: Number.NEGATIVE_INFINITY, untilMs: now.fromMs };
  if (ageMs < now.untilMs) return now;
  const stepMs = stepOf(ageMs);
  const fromMs = ageMs - (ageMs % stepMs);
  return { fromMs, untilMs: fromMs + stepMs };
}

/** The smallest unit that an age shows. Where it grows is a multiple of both. */
function stepOf(ageMs: number): number {
  if (ageMs < 10 * minuteMs) return secondMs;
  if (ageMs < 8 * hourMs) return minuteMs;
  if (ageMs < 8 * dayMs) return hourMs;
  return ageMs < 8 * yearMs ? dayMs : yearMs;
}

function two(large: number, largeUnit: string, small: number, smallUnit: string): string {
  return small === 0 ? `${large}${largeUnit}` : `${large}${largeUnit}${small}${smallUnit}`;
}
