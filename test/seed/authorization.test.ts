/** The seed's TestAuthorization: access sets from ClusterRoles and bindings, over a store. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, describe, test } from "node:test";
import { accessSetAuthorizer, createRbacRules, loadRbacManifests } from "../../gateway/authz/authz.ts";
import { Capability } from "../../gen/annex/store/v1/catalog_pb.js";
import { memoryCapabilities } from "../../stores/memory/store.ts";
import { type Seed, type SeedRequest, startSeed, testType, testTypes } from "./seed.testing.ts";

const path = "/apis/ext.cattle.io/v1/testtypes";

describe("TestAuthorization", () => {
  let seed: Seed;
  const ends: (() => Promise<void>)[] = [];
  before(async () => {
    const file = new URL("./rbac.yaml", import.meta.url);
    const rules = createRbacRules(loadRbacManifests([{ file: "rbac.yaml", text: readFileSync(file, "utf8") }]));
    seed = await startSeed(
      { after: (end) => void ends.push(end as () => Promise<void>) },
      {
        // The seed's own store takes an update without a resourceVersion.
        stores: [[testTypes({ capabilities: [...memoryCapabilities, Capability.UNCONDITIONAL_UPDATE] })]],
        authenticator: (request) => ({ name: request.header("x-test-user") ?? "", uid: "", groups: [], extra: {} }),
        authorizer: accessSetAuthorizer(rules),
      },
    );
    for (const name of ["foo", "bar"])
      assert.equal(await statusOf("read-write", path, { method: "POST", body: testType(name) }), 201);
  });
  after(async () => {
    for (const end of ends) await end();
  });
  const statusOf = async (user: string, about: string, request: SeedRequest = {}) =>
    (await seed.ask(about, { ...request, headers: { "x-test-user": user } })).status;
  const put = { method: "PUT", body: testType("foo") };

  const cases: readonly [name: string, user: string, path: string, request: SeedRequest, status: number][] = [
    ["authorized get read-only not found", "read-only", `${path}/missing`, {}, 404],
    ["authorized get read-only", "read-only", `${path}/foo`, {}, 200],
    ["authorized list read-only", "read-only", path, {}, 200],
    ["unauthorized create from read-only", "read-only", path, { method: "POST", body: testType("new") }, 403],
    ["unauthorized update from read-only", "read-only", `${path}/foo`, put, 403],
    ["unauthorized delete from read-only", "read-only", `${path}/foo`, { method: "DELETE" }, 403],
    [
      "unauthorized create-on-update",
      "update-not-create",
      `${path}/missing`,
      { method: "PUT", body: testType("missing") },
      403,
    ],
    ["authorized get read-write not found", "read-write", `${path}/missing`, {}, 404],
    ["authorized get read-write", "read-write", `${path}/foo`, {}, 200],
    ["authorized list read-write", "read-write", path, {}, 200],
    ["authorized create from read-write", "read-write", path, { method: "POST", body: testType("new") }, 201],
    ["authorized update from read-write", "read-write", `${path}/foo`, put, 200],
    ["unauthorized user", "unknown-user", path, {}, 403],
    ["authorized access to non-resource url", "openapi-v2-only", "/openapi/v2", {}, 200],
    ["unauthorized verb to non-resource url", "openapi-v2-only", "/openapi/v2", { method: "POST", body: {} }, 403],
    ["unauthorized access to non-resource url", "openapi-v2-only", "/openapi/v3", {}, 403],
    ["both openapi v2 and v3 allowed, v2", "openapi-v2-v3", "/openapi/v2", {}, 200],
    ["both openapi v2 and v3 allowed, v3", "openapi-v2-v3", "/openapi/v3", {}, 200],
    ["wildcard rule", "openapi-v3-wildcard", "/openapi/v3/apis/ext.cattle.io/v1", {}, 200],
  ];
  for (const [name, user, about, request, status] of cases) {
    test(`${name}: ${status}`, async () => assert.equal(await statusOf(user, about, request), status));
  }

  test("create-on-update with both rights creates: 201", async () => {
    assert.equal(await statusOf("read-write", `${path}/fresh`, { method: "PUT", body: testType("fresh") }), 201);
  });

  test("the text of a 403 names user, verb and resource, and no reason", async () => {
    const { body } = await seed.ask(path, { headers: { "x-test-user": "unknown-user" } });
    assert.equal(
      body.message,
      'testtypes.ext.cattle.io is forbidden: User "unknown-user" cannot list resource "testtypes" in API group "ext.cattle.io" at the cluster scope',
    );
  });
});
