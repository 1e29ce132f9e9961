/** Lists whose objects' bytes are joined once for all, beside the same lists object by object. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { type SeedRequest, startSeed, testType, testTypes } from "../seed/seed.testing.ts";

const path = "/apis/ext.cattle.io/v1/testtypes";
const second = 1_000;
const hour = 3_600 * second;
const as = (form: string) => `application/json;as=${form};g=meta.k8s.io`;
/** More than a leaf of the copy holds. */
const objects = 260;
/** More than is copied when they are joined. */
const largeText = "x".repeat(70_000);

const columns = [
  { name: "Text", type: "string", format: "", description: "", jsonPath: ".spec.text" },
  { name: "Since", type: "date", format: "", description: "", jsonPath: ".spec.since" },
  { name: "Age", type: "date", format: "", description: "", jsonPath: ".metadata.creationTimestamp" },
];

/** What a selector leaves out, and what a store says that was asked because the copy was late. */
const ofPages = /,?\s*"(?:continue|remainingItemCount)": ?(?:"[^"]*"|\d+)/g;

/** A change of an object, or its removal and its return. */
interface Write {
  readonly object: number;
  readonly isNew: boolean;
  readonly isLarge: boolean;
  readonly text: string;
  readonly agedMs: number;
}

/** What happens between two lists: time passes, or a clock is set back, and objects change. */
interface Step {
  readonly passesMs: number;
  readonly writes: readonly Write[];
  readonly accept: string;
  readonly query: string;
}

const step: fc.Arbitrary<Step> = fc.record({
  passesMs: fc.oneof(fc.constant(0), fc.integer({ min: -3 * second, max: 3 * second }), fc.nat(2 * hour)),
  writes: fc.array(
    fc.record({
      object: fc.nat(objects - 1),
      isNew: fc.boolean(),
      isLarge: fc.nat(7).map((number) => number === 0),
      text: fc.string({ unit: "grapheme", maxLength: 20 }),
      agedMs: fc.integer({ min: -hour, max: 20_000 * hour }),
    }),
    { maxLength: 2 },
  ),
  accept: fc.constantFrom(
    ...["application/json", as("Table;v=v1"), as("Table;v=v1"), as("Table;v=v1beta1")],
    as("PartialObjectMetadataList;v=v1"),
  ),
  query: fc.constantFrom("", "", "&includeObject=None", "&includeObject=Object", "&limit=100", "&pretty=true"),
});

test("a list is byte for byte the same, joined or object by object, as time passes and objects change", async (t) => {
  const versions = [{ name: "v1", served: true, columns }];
  const { ask } = await startSeed(t, { stores: [[testTypes({ versions, storageVersion: "v1" })]] });
  t.mock.timers.enable({ apis: ["Date"], now: Date.now() });
  const nameOf = (object: number) => `t-${String(object).padStart(3, "0")}`;
  const bodyOf = ({ object, isLarge, text, agedMs }: Write) => {
    const since = new Date(Date.now() - agedMs).toISOString();
    return testType(nameOf(object), { spec: { text, more: isLarge ? largeText : "", since } });
  };
  const done = async (wanted: number, where: string, asked: SeedRequest) => {
    const { status, text } = await ask(where, asked);
    assert.equal(status, wanted, text);
    return text;
  };
  const create = async (write: Write) => await done(201, path, { method: "POST", body: bodyOf(write) });
  const write = async (change: Write) => {
    const where = `${path}/${nameOf(change.object)}`;
    if (change.isNew) {
      await done(200, where, { method: "DELETE" });
      await create(change);
      return;
    }
    const headers = { "content-type": "application/merge-patch+json" };
    await done(200, where, { method: "PATCH", body: bodyOf(change), headers });
  };
  const first = { isNew: true, isLarge: false, text: "" };
  // As many at once as the gateway lets in.
  for (let from = 0; from < objects; from += 52) {
    const some = Array.from({ length: 52 }, (_, index) => from + index);
    await Promise.all(some.map((object) => create({ ...first, object, agedMs: object ** 4 })));
  }
  const list = async (accept: string, query: string) =>
    (await done(200, `${path}?${query}`, { headers: { accept } })).replaceAll(ofPages, "");
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 4, maxLength: 6 }), async (steps) => {
      for (const { passesMs, writes, accept, query } of steps) {
        t.mock.timers.setTime(Date.now() + passesMs);
        for (const change of writes) await write(change);
        // A selector makes somebody look at each object.
        const alone = await list(accept, `${query}&labelSelector=!nobody`);
        const joined = await list(accept, query);
        assert.ok(joined === alone, `${accept} ${query}`);
        assert.ok((await list(accept, query)) === joined, `${accept} ${query} again`);
      }
    }),
    { numRuns: 5, endOnFailure: true },
  );
});
