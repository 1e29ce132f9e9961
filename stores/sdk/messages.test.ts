import assert from "node:assert/strict";
import { test } from "node:test";
import type { HandlerContext } from "@connectrpc/connect";
import { callFrom } from "./messages.ts";

test("callFrom() makes a call's signal when it is asked for, and whoever copies the call has it", () => {
  let made = 0;
  const { signal } = new AbortController();
  const context = {
    get signal() {
      made++;
      return signal;
    },
  } as HandlerContext;
  const call = Object.assign(callFrom({}, context), { key: "k" });
  assert.equal(made, 0);
  const copies = [{ ...call }, { ...{ ...call } }, Object.create(call), new Proxy(call, {})];
  for (const copy of [call, ...copies]) assert.equal(copy.signal, signal);
  assert.ok(Object.keys(call).includes("signal"));
});
