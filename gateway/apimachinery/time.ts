/**
 * Times as Kubernetes writes them: RFC 3339, whole seconds, UTC.
 *
 * Source: apimachinery pkg/apis/meta/v1/time.go.
 */

/** Gives `2026-11-24T09:00:00Z`: fractions of a second are cut off. */
export function formatTime(time: Date): string {
  return `${time.toISOString().slice(0, 19)}Z`;
}

/** As formatTime() writes a time, on a day that every month has: what nearly every object has. */
const canonical = /^\d{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|1\d|2[0-8])T(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\dZ$/;

/** Whether a text is certainly what formatTime() gives for the time that it is; false: it may be all the same. */
export function isCanonicalTime(text: string): boolean {
  return canonical.test(text);
}

const rfc3339 = /^(\d{4})-(\d{2})-(\d{2})T(\d{2}):(\d{2}):(\d{2})(?:[.,](\d+))?(?:Z|([+-])(\d{2}):(\d{2}))$/;

/** Reads an RFC 3339 time of any zone and precision (kept to the millisecond); undefined if it is none. */
export function parseTime(text: string): Date | undefined {
  // The same in a fifth of the time.
  if (canonical.test(text)) return new Date(text);
  const found = rfc3339.exec(text);
  if (found === null) return undefined;
  const [year, month, day, hour, minute, second] = found.slice(1, 7).map(Number) as [
    number,
    number,
    number,
    number,
    number,
    number,
  ];
  if (hour > 23 || minute > 59 || second > 59) return undefined;
  const zoneHour = Number(found[9] ?? 0);
  const zoneMinute = Number(found[10] ?? 0);
  if (zoneHour > 24 || zoneMinute > 59) return undefined;
  const time = new Date(0);
  // Not Date.UTC: it takes the years 0 to 99 for 1900 to 1999.
  time.setUTCFullYear(year, month - 1, day);
  if (time.getUTCMonth() !== month - 1 || time.getUTCDate() !== day) return undefined;
  const milliseconds = Number(`${found[7] ?? ""}000`.slice(0, 3));
  time.setUTCHours(hour, minute, second, milliseconds);
  const zoneMs = (zoneHour * 60 + zoneMinute) * 60_000;
  return new Date(time.getTime() - (found[8] === "-" ? -zoneMs : zoneMs));
}
