/** Server-side apply through the gateway: kube-apiserver's recorded answers, and kubectl. */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { createClient, credentialsOf } from "../support/client.ts";
import { type Dev, startDev } from "../support/dev.ts";
import { applyRequests, askAll, readAnswers } from "./apply-requests.ts";
import { describeKubectlApply } from "./kubectl-apply.ts";

describe("annex dev", () => {
  let dev: Dev;
  before(async () => {
    dev = await startDev({ store: "memory" });
  });
  after(async () => {
    await dev.stop();
  });

  test(`answers ${applyRequests.length} requests about field management as kube-apiserver was recorded to`, async () => {
    const client = clientOf(dev);
    const ours = await askAll(client);
    client.close();
    const theirs = readAnswers();
    for (const [index, answer] of ours.entries()) {
      assert.deepEqual(answer, theirs[index], JSON.stringify(applyRequests[index]));
    }
    assert.equal(ours.length, theirs.length);
  });

  test("takes a Scale that is applied, and its owner's fields with it", async () => {
    const client = clientOf(dev);
    const path = "/apis/example.annex.dev/v1/namespaces/scale/widgets";
    const send = async (method: string, rest: string, body: object, type = "application/json") => {
      const headers = { "Content-Type": type };
      const { status, body: text } = await client.ask({
        method,
        path: path + rest,
        headers,
        body: JSON.stringify(body),
      });
      return { status, body: JSON.parse(text) };
    };
    const widget = {
      apiVersion: "example.annex.dev/v1",
      kind: "Widget",
      metadata: { name: "a" },
      spec: { color: "red" },
    };
    assert.equal((await send("POST", "?fieldManager=alice", widget)).status, 201);
    const scale = {
      apiVersion: "autoscaling/v1",
      kind: "Scale",
      metadata: { name: "a", namespace: "scale" },
      spec: { replicas: 7 },
    };
    const apply = (query: string) =>
      send("PATCH", `/a/scale?fieldManager=bob${query}`, scale, "application/apply-patch+yaml");
    const refused = await apply("");
    assert.equal(refused.status, 409);
    assert.equal(
      refused.body.message,
      'Apply failed with 1 conflict: conflict with "alice" using autoscaling/v1: .spec.replicas',
    );
    assert.equal((await apply("&force=true")).body.spec.replicas, 7);
    const { metadata } = JSON.parse((await client.ask({ method: "GET", path: `${path}/a` })).body);
    assert.deepEqual(
      metadata.managedFields.map((one: Record<string, unknown>) => [
        one["manager"],
        one["operation"],
        one["subresource"],
        one["apiVersion"],
      ]),
      [
        ["bob", "Apply", "scale", "example.annex.dev/v1"],
        ["alice", "Update", undefined, "example.annex.dev/v1"],
      ],
    );
    client.close();
  });

  test("manages the fields of a large object", async () => {
    const client = clientOf(dev);
    const path = "/apis/example.annex.dev/v1/namespaces/large/widgets/a";
    const options = Object.fromEntries(Array.from({ length: 5000 }, (_, index) => [`key-${index}`, "x".repeat(30)]));
    const patch = async (type: string, query: string, spec: object) => {
      const body = { apiVersion: "example.annex.dev/v1", kind: "Widget", metadata: { name: "a" }, spec };
      const headers = { "Content-Type": `application/${type}` };
      const asked = { method: "PATCH", path: path + query, headers, body: JSON.stringify(body) };
      const { status, body: text } = await client.ask(asked);
      return { status, body: JSON.parse(text) };
    };
    const made = await patch("apply-patch+yaml", "?fieldManager=alice", { color: "red", options });
    assert.equal(made.status, 201);
    assert.equal(Object.keys(made.body.metadata.managedFields[0].fieldsV1["f:spec"]["f:options"]).length, 5000);
    const refused = await patch("apply-patch+yaml", "?fieldManager=bob", { color: "red", options: { "key-7": "y" } });
    assert.equal(refused.body.message, 'Apply failed with 1 conflict: conflict with "alice": .spec.options.key-7');
    const changed = await patch("merge-patch+json", "?fieldManager=carl", { options: { "key-7": "y" } });
    assert.deepEqual(changed.body.metadata.managedFields[1].fieldsV1, { "f:spec": { "f:options": { "f:key-7": {} } } });
    client.close();
  });

  describeKubectlApply(() => ({ kubeconfig: dev.kubeconfig, hasNamespaces: false, collectsGarbage: false }));
});

function clientOf({ url, kubeconfig }: Dev) {
  return createClient({ url, credentials: credentialsOf(kubeconfig), connections: 1 });
}
