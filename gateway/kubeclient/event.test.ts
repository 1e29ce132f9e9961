import assert from "node:assert/strict";
import { test } from "node:test";
import type { JsonObject } from "../apimachinery/json.ts";
import { type KubeEvent, writeEvent } from "./event.ts";

const event: KubeEvent = {
  type: "Warning",
  reason: "TokenExpired",
  message: "it has expired",
  component: "annex.dev/tokens",
  about: { apiVersion: "example.com/v1", kind: "Token", namespace: "ns", name: "a", uid: "u" },
};

/** Gives what is sent. */
async function written(event: KubeEvent) {
  const sent: { path: string; body?: JsonObject }[] = [];
  await writeEvent(event, {
    client: {
      async request(request) {
        sent.push(request);
        return {};
      },
    },
    clock: () => new Date("2024-05-06T07:08:09.123Z"),
    uuid: () => "id",
  });
  return sent;
}

test("writeEvent() writes one event beside its object", async () => {
  assert.deepEqual(await written(event), [
    {
      method: "POST",
      path: "/api/v1/namespaces/ns/events",
      body: {
        apiVersion: "v1",
        kind: "Event",
        metadata: { name: "id", namespace: "ns" },
        involvedObject: { apiVersion: "example.com/v1", kind: "Token", namespace: "ns", name: "a", uid: "u" },
        type: "Warning",
        reason: "TokenExpired",
        message: "it has expired",
        source: { component: "annex.dev/tokens" },
        firstTimestamp: "2024-05-06T07:08:09Z",
        lastTimestamp: "2024-05-06T07:08:09Z",
        count: 1,
        reportingComponent: "annex.dev/tokens",
        reportingInstance: "",
      },
    },
  ]);
});

test("writeEvent() puts those about cluster-scoped objects into default", async () => {
  const [sent] = await written({ ...event, about: { ...event.about, namespace: "" } });
  assert.equal(sent?.path, "/api/v1/namespaces/default/events");
  assert.deepEqual(sent?.body?.["metadata"], { name: "id", namespace: "default" });
});
