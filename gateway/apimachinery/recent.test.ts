import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Recent } from "./recent.ts";

const cost = fc.integer({ min: 1, max: 6 });
const step = fc.oneof(fc.record({ set: fc.nat(9), cost }), fc.record({ get: fc.nat(9) }));

test("Recent holds what was asked for last, as much of it as its cost allows", () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 80, size: "max" }), (steps) => {
      const recent = new Recent<number, number>(12);
      let wanted: { key: number; value: number; cost: number }[] = [];
      for (const [index, one] of steps.entries()) {
        const key = "set" in one ? one.set : one.get;
        const known = wanted.find((entry) => entry.key === key);
        const others = wanted.filter((entry) => entry.key !== key);
        if ("set" in one) {
          recent.set(key, index, one.cost);
          wanted = [...others, { key, value: index, cost: one.cost }];
          while (wanted.reduce((sum, entry) => sum + entry.cost, 0) > 12) wanted.shift();
          continue;
        }
        assert.equal(recent.get(key), known?.value);
        if (known !== undefined) wanted = [...others, known];
      }
      for (const { key, value } of wanted) assert.equal(recent.get(key), value);
      for (let key = 0; key < 10; key++) {
        if (!wanted.some((entry) => entry.key === key)) assert.equal(recent.get(key), undefined);
      }
    }),
  );
});
