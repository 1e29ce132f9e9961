/** What the gateway and the stores' SDK have alike, since they share nothing but the contract, stays alike. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { root } from "../support/checkout.ts";

const textOf = (folder: string, name: string) => readFileSync(join(root, folder, `${name}.ts`), "utf8");

for (const name of ["codec", "deadlines", "gathered", "grpc-messages", "in-flight"]) {
  test(`${name}.ts is the same on both sides of a session`, () => {
    assert.equal(textOf("stores/sdk", name), textOf("gateway/registry", name));
  });
}

test("session-outbox.ts is the same but for the message that each side sends", () => {
  const gateways = textOf("gateway/registry", "session-outbox");
  const stores = gateways.replaceAll("OpenRequest", "OpenResponse").replace("A store has", "The gateway has");
  assert.equal(textOf("stores/sdk", "session-outbox"), stores);
});

test("key-order.ts is the same for a store's lists and the gateway's copy", () => {
  assert.equal(textOf("stores/sdk", "key-order"), textOf("gateway/watchcache", "key-order"));
});
