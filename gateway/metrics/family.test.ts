import assert from "node:assert/strict";
import { test } from "node:test";
import { formatFamilies } from "./exposition.ts";
import { Counter, counter, exponentialBuckets, type Family, gauge, histogram, peak, Vector } from "./family.ts";

const textOf = async (...families: Family[]) => Buffer.concat(await formatFamilies(families)).toString();

test("formatFamilies() writes families by name, labels by name, and nothing of a family without series", async () => {
  const requests = counter({ name: "b_total", help: "Requests.\nAll \\ of them.", labels: ["verb", "code"] });
  const open = gauge({ name: "a_open", help: "Open.", labels: [] });
  const unused = counter({ name: "c_total", help: "Nothing.", labels: ["x"] });
  requests.with("GET", "200").add();
  requests.with("GET", "200").add(2);
  requests.with('a"b\\c\nd', "").add();
  open.with().set(1.5);
  assert.equal(
    await textOf(requests, unused, open),
    [
      "# HELP a_open Open.",
      "# TYPE a_open gauge",
      "a_open 1.5",
      "# HELP b_total Requests.\\nAll \\\\ of them.",
      "# TYPE b_total counter",
      'b_total{code="200",verb="GET"} 3',
      'b_total{code="",verb="a\\"b\\\\c\\nd"} 1',
      "",
    ].join("\n"),
  );
});

test("a histogram counts a value in every bucket whose bound it doesn't exceed", async () => {
  const sizes = histogram({ name: "sizes", help: "Sizes.", labels: ["of"], buckets: exponentialBuckets(1, 10, 2) });
  for (const value of [1, 2, 10, 11]) sizes.with("x").observe(value);
  assert.equal(
    await textOf(sizes),
    [
      "# HELP sizes Sizes.",
      "# TYPE sizes histogram",
      'sizes_bucket{of="x",le="1"} 1',
      'sizes_bucket{of="x",le="10"} 3',
      'sizes_bucket{of="x",le="+Inf"} 4',
      'sizes_sum{of="x"} 24',
      'sizes_count{of="x"} 4',
      "",
    ].join("\n"),
  );
});

test("reset() begins counters and histograms anew, for those who keep a series too, and leaves gauges", async () => {
  const total = counter({ name: "total", help: "", labels: [] });
  const times = histogram({ name: "times", help: "", labels: [], buckets: [1] });
  const open = gauge({ name: "open", help: "", labels: [] });
  const kept = total.with();
  kept.add(5);
  times.with().observe(3);
  open.with().add(2);
  for (const family of [total, times, open]) family.reset();
  kept.add();
  const text = await textOf(total, times, open);
  assert.match(text, /^total 1$/m);
  assert.match(text, /^times_sum 0$/m);
  assert.match(text, /^times_bucket\{le="\+Inf"\} 0$/m);
  assert.match(text, /^open 2$/m);
});

test("a family that is full counts what is beyond its limit together", async () => {
  const family = new Vector(
    "counter",
    { name: "total", help: "", labels: ["a", "b"] as const },
    { make: () => new Counter(), maxSeries: 2 },
  );
  for (const name of ["1", "2", "3", "4", "1"]) family.with(name, "x").add();
  const lines = (await textOf(family)).split("\n").filter((line) => line.startsWith("total"));
  assert.deepEqual(lines, ['total{a="1",b="x"} 2', 'total{a="2",b="x"} 1', 'total{a="other",b="other"} 2']);
});

test("a peak tells the most of this second and the one before, and then what stayed", async () => {
  let now = 10_000;
  const family = peak({ name: "seats", help: "", labels: [] }, () => now);
  const seats = family.with();
  const told = async () => Number(/^seats (\d+)$/m.exec(await textOf(family))?.[1]);
  seats.set(7);
  seats.set(2);
  assert.equal(await told(), 7);
  now += 1_000;
  assert.equal(await told(), 7);
  now += 1_000;
  assert.equal(await told(), 2);
  seats.set(3);
  seats.set(1);
  now += 60_000;
  assert.equal(await told(), 1);
});

test("who reads a gauge while it is told anew gets the series of before, each once", () => {
  const family = gauge({ name: "open", help: "", labels: ["of"] });
  for (const name of ["a", "b"]) family.with(name).set(1);
  const lines = family.lines()[Symbol.iterator]();
  const first = lines.next().value;
  family.clear();
  for (const name of ["a", "b"]) family.with(name).set(2);
  assert.deepEqual([first, lines.next().value, lines.next().done], ['open{of="a"} 1\n', 'open{of="b"} 1\n', true]);
});
