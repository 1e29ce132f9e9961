/**
 * The figures of several processes as one text, made of the text of each.
 *
 * What is counted never goes back: Prometheus would take it for a restart, and add all of it once more.
 * So the counters of a process that is gone, or doesn't answer, stay in the sum as they were at the last
 * look; only what it counted since then is lost. Its gauges, which tell of now, are left out.
 */
import { formatFamilies, headOf } from "./exposition.ts";
import { type Family, formatNumber, type Whole } from "./family.ts";

/** Sums up. A process is known by a number that no other ever has. */
export interface WholeText {
  /**
   * Gives the sum of those that answered, of what the others had counted, and of `own`, which are the
   * families of whoever sums up.
   * @param texts by process; undefined: no answer.
   */
  sum(path: string, texts: ReadonlyMap<number, string | undefined>, own: readonly Family[]): Promise<string>;
  /** A process is gone. */
  died(process: number): void;
  /** Forgets what was counted at a path. */
  reset(path: string): void;
}

/** By family, the values by name and labels as they stand in the text. */
type Sums = Map<Family, Map<string, number>>;

/** @param families all that a text can hold; lines of others are left out. */
export function createWholeText(families: readonly Family[]): WholeText {
  const known = new Map(families.map((family) => [family.name, family]));
  /** By process, its last text by the path that it was asked for. */
  const last = new Map<number, Map<string, string>>();
  /** By path, what those that are gone had counted. */
  const left = new Map<string, Sums>();

  function add(sums: Sums, text: string, isOfNow: boolean): void {
    let family: Family | undefined;
    for (const line of text.split("\n")) {
      if (line.startsWith("# TYPE ")) family = known.get(line.slice("# TYPE ".length, line.lastIndexOf(" ")));
      else if (line === "" || line.startsWith("#") || family === undefined) continue;
      else if (isOfNow || family.type !== "gauge") addSample(sums, family, line);
    }
  }

  return {
    async sum(path, texts, own) {
      const ownText = Buffer.concat(await formatFamilies(own)).toString();
      const sums: Sums = new Map([...(left.get(path) ?? [])].map(([family, values]) => [family, new Map(values)]));
      for (const [process, text] of texts) {
        const before = last.get(process) ?? new Map<string, string>();
        add(sums, text ?? before.get(path) ?? "", text !== undefined);
        if (text !== undefined) last.set(process, before.set(path, text));
      }
      add(sums, ownText, true);
      return format(sums);
    },
    died(process) {
      for (const [path, text] of last.get(process) ?? []) {
        const sums: Sums = left.get(path) ?? new Map();
        add(sums, text, false);
        left.set(path, sums);
      }
      last.delete(process);
    },
    reset(path) {
      for (const texts of last.values()) texts.delete(path);
      left.delete(path);
    },
  };
}

const together: Readonly<Record<Whole, (a: number, b: number) => number>> = {
  sum: (a, b) => a + b,
  max: Math.max,
  min: Math.min,
};

function addSample(sums: Sums, family: Family, line: string): void {
  const space = line.lastIndexOf(" ");
  const name = line.slice(0, space);
  const value = Number(line.slice(space + 1).replace("Inf", "Infinity"));
  const values = sums.get(family) ?? new Map<string, number>();
  const before = values.get(name);
  values.set(name, before === undefined ? value : together[family.whole](before, value));
  sums.set(family, values);
}

function format(sums: Sums): string {
  const sorted = [...sums].sort(([a], [b]) => (a.name < b.name ? -1 : 1));
  return sorted
    .map(([family, values]) => {
      const lines = [...values].map(([name, value]) => `${name} ${formatNumber(value)}\n`);
      return headOf(family) + lines.join("");
    })
    .join("");
}
