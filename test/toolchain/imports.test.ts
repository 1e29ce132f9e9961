import assert from "node:assert/strict";
import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { root } from "../support/checkout.ts";
import { arrowsOf, faultOf } from "./import-rules.ts";

test("every import points the way that the house allows", () => {
  const files = globSync("{gateway,stores,test}/**/*.ts", { cwd: root });
  assert.ok(files.length > 100, `only ${files.length} files were found`);
  const faults = files
    .flatMap((file) => arrowsOf(file, readFileSync(join(root, file), "utf8")))
    .flatMap((arrow) => {
      const fault = faultOf(arrow);
      return fault === undefined ? [] : [`${arrow.from} -> ${arrow.to}: ${fault}`];
    });
  assert.deepEqual(faults, []);
});

test("no import goes in a circle, types aside", () => {
  const files = globSync("{gateway,stores,test}/**/*.ts", { cwd: root });
  const graph = new Map(
    files.map((file) => {
      const text = readFileSync(join(root, file), "utf8").replaceAll(/\b(?:import|export) type [^;]*;/g, "");
      return [file, arrowsOf(file, text).map((arrow) => arrow.to)] as const;
    }),
  );
  assert.deepEqual(circleIn(graph), undefined);
});

test("faultOf() finds a planted arrow of each kind", () => {
  const planted: readonly [from: string, specifier: string, fault: string][] = [
    ["gateway/verbs/get.ts", "../../stores/sdk/sdk.ts", "gateway never imports stores"],
    ["stores/sql/store.ts", "../../gateway/apimachinery/json.ts", "stores never import gateway"],
    ["stores/sql/store.ts", "../memory/store.ts", "a store imports no other store"],
    ["stores/sql/store.ts", "../sdk/crds.ts", "a store imports sdk by its front door"],
    ["gateway/authz/authz.ts", "../authn/authn.ts", "authz may not import authn"],
    ["gateway/registry/registry.ts", "../watchcache/watchcache.ts", "registry may not import watchcache"],
    ["gateway/apimachinery/json.ts", "../render/render.ts", "apimachinery may not import render"],
    ["gateway/server.ts", "./authn/chain.ts", "a room is entered by its front door, authn/authn.ts"],
    ["gateway/verbs/get.ts", "../server.ts", "server.ts joins the rooms: no room imports it"],
    ["gateway/pantry/pantry.ts", "../verbs/verbs.ts", "the room pantry has no rule"],
    ["gateway/verbs/get.ts", "../../test/support/dev.ts", "nothing imports test"],
    ["gateway/authn/authn.ts", "./certificates.fixture.ts", "only tests import what is for tests"],
    ["gateway/server.ts", "fastify", "fastify is named only in gateway/listen, test"],
    [
      "gateway/verbs/get.ts",
      "@connectrpc/connect",
      "@connectrpc/connect is named only in gateway/registry, stores, test",
    ],
    [
      "gateway/verbs/get.ts",
      "../../gen/annex/store/v1/store_pb.js",
      "@bufbuild/protobuf is named only in gateway/registry, stores, test",
    ],
  ];
  for (const [from, specifier, fault] of planted) {
    for (const statement of [`import { x } from "${specifier}";`, `await import("${specifier}")`]) {
      const [arrow] = arrowsOf(from, statement);
      assert.ok(arrow !== undefined, statement);
      assert.equal(faultOf(arrow), fault, `${from}: ${statement}`);
    }
  }
});

test("faultOf() lets the arrows of the house through", () => {
  const allowed: readonly [from: string, specifier: string][] = [
    ["gateway/server.ts", "./authn/authn.ts"],
    ["gateway/verbs/get.ts", "../registry/registry.ts"],
    ["gateway/authn/chain.ts", "../apimachinery/json.ts"],
    ["gateway/cli/dev.ts", "../main.ts"],
    ["stores/sql/store.ts", "../sdk/sdk.ts"],
    ["test/e2e/x.test.ts", "../../gateway/authn/chain.ts"],
    ["gateway/authn/authn.test.ts", "./certificates.fixture.ts"],
  ];
  for (const [from, specifier] of allowed) {
    const [arrow] = arrowsOf(from, `import { x } from "${specifier}";`);
    assert.ok(arrow !== undefined && faultOf(arrow) === undefined, `${from} -> ${specifier}`);
  }
});

test("circleIn() finds a circle and names its way", () => {
  const graph = new Map([
    ["a", ["b"]],
    ["b", ["c"]],
    ["c", ["b"]],
  ]);
  assert.deepEqual(circleIn(graph), ["b", "c", "b"]);
});

/** Gives one circle, first file again at its end. */
function circleIn(graph: ReadonlyMap<string, readonly string[]>): string[] | undefined {
  const done = new Set<string>();
  const way: string[] = [];
  const visit = (file: string): string[] | undefined => {
    if (done.has(file) || !graph.has(file)) return undefined;
    if (way.includes(file)) return [...way.slice(way.indexOf(file)), file];
    way.push(file);
    for (const next of graph.get(file) ?? []) {
      const circle = visit(next);
      if (circle !== undefined) return circle;
    }
    way.pop();
    done.add(file);
    return undefined;
  };
  for (const file of graph.keys()) {
    const circle = visit(file);
    if (circle !== undefined) return circle;
  }
  return undefined;
}
