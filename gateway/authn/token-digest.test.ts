import assert from "node:assert/strict";
import { test } from "node:test";
import { tokenDigests } from "./token-digest.ts";

test("tokenDigests() tells tokens apart, and each secret its own", () => {
  const digest = tokenDigests();
  assert.equal(digest("a"), digest("a"));
  assert.notEqual(digest("a"), digest("b"));
  assert.notEqual(digest("a"), tokenDigests()("a"));
  assert.ok(!digest("token").includes("token"));
});
