import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { InFlight } from "./in-flight.ts";

test("InFlight keeps what a Map keeps, whichever numbers meet in a slot", () => {
  const number = fc.oneof(fc.integer({ min: 1, max: 5 }), fc.constantFrom(1_025, 2_049, 2 ** 53 - 1), fc.nat());
  const step = fc.record({ number, isEnd: fc.boolean() });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const calls = new InFlight<object>();
      const model = new Map<number, object>();
      for (const { number, isEnd } of steps) {
        assert.equal(calls.get(number), model.get(number));
        if (isEnd && model.delete(number)) calls.delete(number);
        if (!isEnd && !model.has(number)) {
          const call = {};
          model.set(number, call);
          calls.add(number, call);
        }
        assert.equal(calls.size, model.size);
        assert.deepEqual(new Map(calls.all()), model);
      }
    }),
  );
});
