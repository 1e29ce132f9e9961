import assert from "node:assert/strict";
import { test } from "node:test";
import { hostOf, spreadOf } from "./lookup.ts";

const v4 = (...addresses: string[]) => addresses.map((address) => ({ address, family: 4 }));
const v6 = (...addresses: string[]) => addresses.map((address) => ({ address, family: 6 }));

test("hostOf() gives names alone", () => {
  assert.equal(hostOf("store.default.svc:7000"), "store.default.svc");
  for (const address of ["unix:/run/a:b.sock", "10.0.0.1:7000", "[::1]:7000"]) assert.equal(hostOf(address), undefined);
});

test("spreadOf() takes several addresses of one family for endpoints, and one of each for one endpoint", () => {
  assert.deepEqual(spreadOf([...v6("::1"), ...v4("127.0.0.1")], false), []);
  assert.deepEqual(spreadOf(v4("10.0.0.1"), false), []);
  assert.deepEqual(spreadOf(v4("10.0.0.1", "10.0.0.2", "10.0.0.1"), false), ["10.0.0.1", "10.0.0.2"]);
  assert.deepEqual(spreadOf([...v6("fd::1", "fd::2"), ...v4("10.0.0.1", "10.0.0.2")], false), ["fd::1", "fd::2"]);
  assert.deepEqual(spreadOf(v4("10.0.0.1"), true), ["10.0.0.1"]);
});
