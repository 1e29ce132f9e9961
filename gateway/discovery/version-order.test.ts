import assert from "node:assert/strict";
import { test } from "node:test";
import { compareVersions } from "./version-order.ts";

test("compareVersions() puts stable before beta before alpha, greater first, other names last", () => {
  const ordered = [
    "v10",
    "v2",
    "v1",
    "v0",
    "v11beta2",
    "v10beta3",
    "v3beta1",
    "v12alpha1",
    "v11alpha2",
    "foo1",
    "foo10",
  ];
  for (const rotation of [3, 7]) {
    const shuffled = [...ordered.slice(rotation), ...ordered.slice(0, rotation)].reverse();
    assert.deepEqual(shuffled.sort(compareVersions), ordered);
  }
  assert.equal(compareVersions("v1", "v1"), 0);
});
