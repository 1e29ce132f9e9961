import assert from "node:assert/strict";
import { test } from "node:test";
import { main } from "./certify.ts";
import { promises } from "./promises.ts";
import { jsonFrom, junitFrom, summary } from "./report.ts";
import type { CertifyReport, PromiseResult } from "./run.ts";
import { lackOf, type Subject } from "./subject.ts";

const [kept, broken, skipped] = promises;
const result = (promise: PromiseResult["promise"] | undefined, part: Partial<PromiseResult>): PromiseResult => {
  assert.ok(promise);
  return { promise, outcome: "kept", tookMs: 1, seen: "", evidence: [], ...part };
};
const report: CertifyReport = {
  implementation: "a store",
  version: "1",
  digest: "00",
  addresses: ["unix:/tmp/s"],
  resources: ["things.example.com"],
  results: [
    result(kept, {}),
    result(broken, { outcome: "broken", seen: 'found <"a">', evidence: ["#1 create"] }),
    result(skipped, { outcome: "skipped", seen: "not declared: the capability RESUME" }),
  ],
  tookMs: 3,
  left: [],
};

test("promises have names of their own, and each a sentence", () => {
  assert.ok(promises.length >= 120, `${promises.length} promises`);
  assert.equal(new Set(promises.map((promise) => promise.name)).size, promises.length);
  for (const { name, text } of promises) {
    assert.match(name, /^[a-z-]+\.[a-z-]+$/);
    assert.match(text, /^[A-Z].*\.$/, name);
  }
});

test("summary() names what is broken with its text and its history, and lists the skips", () => {
  const text = summary(report);
  assert.match(text, new RegExp(`${broken?.name}: ${broken?.text}`));
  assert.match(text, /found <"a">\n {4}#1 create/);
  assert.match(text, /not declared: the capability RESUME\n {4}health.unknown/);
  assert.match(text, /does not keep the contract: 1 promises kept, 1 broken, 1 skipped/);
});

test("junitFrom() escapes, and counts failures and skips", () => {
  const xml = junitFrom(report);
  assert.match(xml, /tests="3" failures="1" skipped="1"/);
  assert.match(xml, /<failure message="found &lt;&quot;a&quot;&gt;">/);
});

test("jsonFrom() has each promise with its outcome", () => {
  const { promises: told } = JSON.parse(jsonFrom(report)) as { promises: { name: string; outcome: string }[] };
  assert.deepEqual(
    told.map((one) => one.outcome),
    ["kept", "broken", "skipped"],
  );
});

test("lackOf() names what a resource doesn't declare", () => {
  const subject = { has: () => false, can: (verb: string) => verb === "get", isNamespaced: true } as unknown as Subject;
  const description = { revisionScope: 1 } as never;
  assert.equal(lackOf({ verbs: "get" }, subject, [subject], description), undefined);
  assert.equal(lackOf({ verbs: "get list" }, subject, [subject], description), "the verb list");
  assert.equal(lackOf({ has: ["RESUME"] }, subject, [subject], description), "the capability RESUME");
});

test("main() refuses arguments that are off with exit code 2", async (t) => {
  const said: string[] = [];
  t.mock.method(process.stderr, "write", (text: string) => said.push(text) > 0);
  assert.equal(await main(["--nonsense"]), 2);
  assert.equal(await main(["somewhere"]), 2);
  assert.equal(await main(["unix:/a", "--", "annex"]), 2);
  assert.equal(await main(["--tls-ca", "x", "localhost:1"]), 2);
  assert.equal(said.length, 4);
});

test("main() fails with exit code 1 where nobody answers, and where the command gives no address", async (t) => {
  t.mock.method(process.stderr, "write", () => true);
  assert.equal(await main(["unix:/nowhere/at/all"]), 1);
  assert.equal(await main(["--", process.execPath, "-e", "process.exit(3)"]), 1);
});
