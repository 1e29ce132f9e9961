/**
 * Counters, gauges and histograms: a family is declared once, its series come with their labels.
 *
 * A series is a few plain numbers, and whoever uses it often keeps it. Label values come from a set
 * that somebody bounds: what stores describe, what the configuration names, what a protocol has words
 * for; never names of objects, names of users or paths as they were sent. Should that fail, a family
 * stops at a limit, and what is beyond it is counted together.
 * Source: Prometheus' data model; client_golang's vectors.
 */

/** What one kind of series can do. */
interface Series {
  /** Gives its lines of text. `labels` is `a="b",c="d"`, or `""`. */
  lines(name: string, labels: string): string;
  /** Back to what it was at first. A gauge, which tells of now, stays. */
  reset(): void;
}

/** How the series of several processes are one: what is counted, and what each has of its own, is added up. */
export type Whole = "sum" | "max" | "min";

/** Series of one name. */
export interface Family {
  readonly name: string;
  readonly help: string;
  readonly type: "counter" | "gauge" | "histogram";
  readonly whole: Whole;
  /** Gives the lines of each series, in no order that counts. */
  lines(): Iterable<string>;
  reset(): void;
}

/** What a family is declared with. */
export interface Declaration<L extends readonly string[]> {
  readonly name: string;
  readonly help: string;
  readonly labels: L;
  /** Default: of a gauge the greatest, which fits what all have alike; else the sum. */
  readonly whole?: Whole;
}

type ValuesOf<L extends readonly string[]> = { readonly [K in keyof L]: string };

/** Only grows. */
export class Counter implements Series {
  #value = 0;

  add(by = 1): void {
    this.#value += by;
  }

  lines(name: string, labels: string): string {
    return line(name, labels, this.#value);
  }

  reset(): void {
    this.#value = 0;
  }
}

/** Tells of now. */
export class Gauge implements Series {
  #value = 0;

  add(by: number): void {
    this.#value += by;
  }

  set(value: number): void {
    this.#value = value;
  }

  lines(name: string, labels: string): string {
    return line(name, labels, this.#value);
  }

  reset(): void {}
}

/** Tells the greatest value that a gauge had in this second and the one before: what a scrape would miss. */
export class Peak implements Series {
  readonly #now: () => number;
  #second = 0;
  #value = 0;
  #most = 0;
  #mostBefore = 0;

  /** @param now in milliseconds. */
  constructor(now: () => number) {
    this.#now = now;
  }

  set(value: number): void {
    this.#advance();
    this.#value = value;
    if (value > this.#most) this.#most = value;
  }

  lines(name: string, labels: string): string {
    this.#advance();
    return line(name, labels, Math.max(this.#most, this.#mostBefore));
  }

  reset(): void {}

  #advance(): void {
    const second = Math.floor(this.#now() / 1000);
    if (second === this.#second) return;
    this.#mostBefore = second === this.#second + 1 ? this.#most : this.#value;
    this.#most = this.#value;
    this.#second = second;
  }
}

/** Upper bounds of buckets, inclusive, ascending, with their labels: one more, which has none. */
interface Buckets {
  readonly bounds: readonly number[];
  readonly labels: readonly string[];
}

/** Counts values by how large they are. */
export class Histogram implements Series {
  readonly #buckets: Buckets;
  /** Of each bucket alone; the last one has no bound. */
  readonly #counts: number[];
  #sum = 0;

  constructor(buckets: Buckets) {
    this.#buckets = buckets;
    this.#counts = new Array(buckets.labels.length).fill(0);
  }

  observe(value: number): void {
    const { bounds } = this.#buckets;
    let index = 0;
    while (index < bounds.length && value > (bounds[index] as number)) index++;
    this.#counts[index] = (this.#counts[index] as number) + 1;
    this.#sum += value;
  }

  lines(name: string, labels: string): string {
    const before = labels === "" ? `${name}_bucket{` : `${name}_bucket{${labels},`;
    let text = "";
    let count = 0;
    for (let index = 0; index < this.#counts.length; index++) {
      count += this.#counts[index] as number;
      text += `${before}${this.#buckets.labels[index]}} ${count}\n`;
    }
    return text + line(`${name}_sum`, labels, this.#sum) + line(`${name}_count`, labels, count);
  }

  reset(): void {
    this.#counts.fill(0);
    this.#sum = 0;
  }
}

/** Series of a family: a hundred resources, six verbs, three scopes and a dozen codes. A few megabytes. */
const defaultMaxSeries = 20_000;
/** The value of every label of what is beyond the limit. */
const beyond = "other";

/** A family and its series, which are made when they are first asked for. */
export class Vector<L extends readonly string[], S extends Series> implements Family {
  readonly name: string;
  readonly help: string;
  readonly type: Family["type"];
  readonly whole: Whole;
  readonly #labels: L;
  readonly #make: () => S;
  readonly #maxSeries: number;
  readonly #series = new Map<string, { readonly labels: string; readonly series: S }>();

  constructor(
    type: Family["type"],
    declared: Declaration<L>,
    { make, maxSeries = defaultMaxSeries }: { readonly make: () => S; readonly maxSeries?: number },
  ) {
    this.type = type;
    this.name = declared.name;
    this.help = declared.help;
    this.whole = declared.whole ?? (type === "gauge" ? "max" : "sum");
    this.#labels = declared.labels;
    this.#make = make;
    this.#maxSeries = maxSeries;
  }

  /** Gives the series of these values, in the order in which the labels were declared. */
  with(...values: ValuesOf<L>): S {
    const key = values.length === 1 ? (values[0] as string) : values.join("\u0000");
    const known = this.#series.get(key);
    if (known !== undefined) return known.series;
    const isFull = this.#series.size >= this.#maxSeries && !values.every((value) => value === beyond);
    if (isFull) return this.with(...(this.#labels.map(() => beyond) as unknown as ValuesOf<L>));
    const series = this.#make();
    this.#series.set(key, { labels: formatLabels(this.#labels, values), series });
    return series;
  }

  /** Forgets every series, for a gauge that is told anew as a whole. */
  clear(): void {
    this.#series.clear();
  }

  *lines(): Iterable<string> {
    // Of now: whoever reads may pause, and meanwhile a gauge may be told anew.
    for (const { labels, series } of [...this.#series.values()]) yield series.lines(this.name, labels);
  }

  reset(): void {
    for (const { series } of this.#series.values()) series.reset();
  }
}

/** Declares a counter. */
export function counter<const L extends readonly string[]>(declared: Declaration<L>): Vector<L, Counter> {
  return new Vector("counter", declared, { make: () => new Counter() });
}

/** Declares a counter that somebody else counts: its series are told their value. */
export function toldCounter<const L extends readonly string[]>(declared: Declaration<L>): Vector<L, Gauge> {
  return new Vector("counter", declared, { make: () => new Gauge() });
}

/** Declares a gauge. */
export function gauge<const L extends readonly string[]>(declared: Declaration<L>): Vector<L, Gauge> {
  return new Vector("gauge", declared, { make: () => new Gauge() });
}

/** Declares a gauge that tells its peaks. */
export function peak<const L extends readonly string[]>(
  declared: Declaration<L>,
  now: () => number = () => performance.now(),
): Vector<L, Peak> {
  return new Vector("gauge", declared, { make: () => new Peak(now) });
}

/** Declares a histogram. @param buckets upper bounds, inclusive, ascending. */
export function histogram<const L extends readonly string[]>(
  declared: Declaration<L> & { readonly buckets: readonly number[] },
): Vector<L, Histogram> {
  const { buckets: bounds } = declared;
  const buckets = { bounds, labels: [...bounds, Infinity].map((bound) => `le="${formatNumber(bound)}"`) };
  return new Vector("histogram", declared, { make: () => new Histogram(buckets) });
}

/** Gives `count` bounds, each `factor` times the one before. */
export function exponentialBuckets(first: number, factor: number, count: number): number[] {
  return Array.from({ length: count }, (_, index) => first * factor ** index);
}

function line(name: string, labels: string, value: number): string {
  return labels === "" ? `${name} ${formatNumber(value)}\n` : `${name}{${labels}} ${formatNumber(value)}\n`;
}

/** Gives a number as Prometheus reads it. */
export function formatNumber(value: number): string {
  if (value === Infinity) return "+Inf";
  return value === -Infinity ? "-Inf" : String(value);
}

/** In the order of their names, as Go's client writes them. */
function formatLabels(names: readonly string[], values: readonly string[]): string {
  return names
    .map((name, index) => `${name}="${escapeValue(values[index] ?? "")}"`)
    .sort()
    .join(",");
}

function escapeValue(value: string): string {
  return value.replace(/[\\"\n]/g, (found) => (found === "\n" ? "\\n" : `\\${found}`));
}
