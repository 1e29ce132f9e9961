/**
 * Requests to which field management matters, one after the other, and what is looked at in the answers.
 *
 * kube-apiserver's answers are recorded (test/fixtures/apply-answers.jsonl), so that Annex is held against
 * them where there is no Go.
 */
import { readFileSync, writeFileSync } from "node:fs";
import type { JsonObject, JsonValue } from "../../gateway/apimachinery/json.ts";
import { isJsonObject } from "../../gateway/apimachinery/json.ts";
import type { Client } from "../support/client.ts";

interface Asked {
  readonly method: "POST" | "PUT" | "PATCH" | "GET" | "DELETE";
  readonly name: string;
  /** `?` and what follows; `/status`, `/scale`. Default none. */
  readonly rest?: string;
  readonly version?: string;
  readonly type?: "apply" | "merge" | "json";
  readonly userAgent?: string;
  readonly body?: JsonValue | string;
}

/** What is compared of an answer. */
export interface Answered {
  readonly status: number;
  readonly warnings: readonly string[];
  readonly body: JsonValue;
}

const group = "example.annex.dev";
const types = {
  apply: "application/apply-patch+yaml",
  merge: "application/merge-patch+json",
  json: "application/json-patch+json",
};

const widget = (name: string, fields: JsonObject, metadata: JsonObject = {}): JsonObject => ({
  apiVersion: `${group}/v1`,
  kind: "Widget",
  metadata: { name, ...metadata },
  ...fields,
});
const apply = (
  manager: string,
  name: string,
  fields: JsonObject,
  more: Partial<Asked> & { force?: boolean; metadata?: JsonObject } = {},
): Asked => {
  const { force, metadata, rest = "", ...others } = more;
  return {
    method: "PATCH",
    name,
    type: "apply",
    rest: `${rest}?fieldManager=${manager}${force === true ? "&force=true" : ""}`,
    body: widget(name, fields, metadata),
    ...others,
  };
};
const merge = (manager: string, name: string, body: JsonObject, rest = ""): Asked => ({
  method: "PATCH",
  name,
  type: "merge",
  rest: `${rest}?fieldManager=${manager}`,
  body,
});
const create = (manager: string, name: string, fields: JsonObject, metadata: JsonObject = {}): Asked => ({
  method: "POST",
  name: "",
  rest: `?fieldManager=${manager}`,
  body: widget(name, fields, metadata),
});

const lastApplied = (spec: JsonObject) => ({
  annotations: {
    "kubectl.kubernetes.io/last-applied-configuration": `${JSON.stringify({ apiVersion: `${group}/v1`, kind: "Widget", metadata: { annotations: {}, name: "mig", namespace: "default" }, spec })}\n`,
  },
});

/**
 * The requests, in order. That a Scale can be applied is left out: kube-apiserver answers 500 for a custom
 * resource's, because it can't convert what it merged.
 */
export const applyRequests: readonly Asked[] = [
  // Creation, by apply and otherwise.
  apply("alice", "a", { spec: { color: "red", replicas: 2 } }),
  apply("alice", "a", { spec: { color: "red", replicas: 2 } }),
  apply("bob", "a", { spec: { color: "red" } }),
  apply("bob", "a", { spec: { color: "blue" } }),
  apply("bob", "a", { spec: { color: "blue", replicas: 3 } }),
  apply("bob", "a", { spec: { color: "blue" } }, { force: true }),
  apply("alice", "a", { spec: { color: "blue" } }),
  apply("bob", "a", { spec: { color: "blue", tags: ["x", "y"], parts: [{ name: "leg" }, { name: "arm", count: 2 }] } }),
  apply("carol", "a", { spec: { color: "blue", tags: ["y", "z"], parts: [{ name: "arm", count: 2 }] } }),
  apply("bob", "a", { spec: { color: "blue", tags: ["x"], parts: [{ name: "leg" }] } }),
  apply("bob", "a", { spec: { color: "blue" } }),
  apply("carol", "a", {
    spec: { color: "blue", options: { deep: { x: 1, l: [{ a: 1 }] }, empty: {}, nothing: null } },
  }),
  apply("dave", "a", { spec: { color: "blue", options: { deep: { x: 2 } } } }),
  apply(
    "dave",
    "a",
    { spec: { color: "blue", size: "large" } },
    { metadata: { labels: { a: "1" }, annotations: { b: "2" }, finalizers: ["x.y/z"] } },
  ),
  apply("dave", "a", { spec: { color: "blue" } }, { metadata: { labels: { c: "1" } } }),
  { method: "GET", name: "a" },
  { method: "PATCH", name: "a", type: "merge", userAgent: "curl/8.0", body: { spec: { size: 3 } } },
  {
    method: "PATCH",
    name: "a",
    type: "json",
    rest: "?fieldManager=jay",
    body: [{ op: "add", path: "/metadata/labels/j", value: "1" }],
  },
  merge("ed", "a", { spec: { size: null } }),
  merge("ed", "a", { metadata: { labels: { c: "2" } } }),
  merge("ed", "a", {}),
  // Dry run.
  apply("alice", "a", { spec: { color: "red" } }, { rest: "", force: true }),
  {
    method: "PATCH",
    name: "a",
    type: "apply",
    rest: "?fieldManager=zed&dryRun=All&force=true",
    body: widget("a", { spec: { color: "green" } }),
  },
  { method: "GET", name: "a" },
  // Status.
  apply("kubelet", "a", { status: { phase: "up" } }),
  apply("kubelet", "a", { spec: { color: "green" }, status: { phase: "up", replicas: 2 } }, { rest: "/status" }),
  merge(
    "scaler",
    "a",
    { status: { phase: "down" }, spec: { color: "green" }, metadata: { labels: { s: "1" } } },
    "/status",
  ),
  apply("kubelet", "a", { status: { phase: "up" } }, { rest: "/status" }),
  apply("kubelet", "missing", { status: { phase: "up" } }, { rest: "/status" }),
  // Scale.
  { method: "GET", name: "a", rest: "/scale" },
  merge("hpa", "a", { spec: { replicas: 5 } }, "/scale"),
  { method: "GET", name: "a" },
  merge("hpa", "a", { spec: { replicas: 5 } }, "/scale"),
  { method: "GET", name: "a" },
  apply("alice", "a", { spec: { color: "red", replicas: 2 } }),
  apply("alice", "a", { spec: { color: "red", replicas: 2 } }, { force: true }),
  merge("hpa", "a", { spec: { replicas: 6 } }, "/scale"),
  { method: "GET", name: "a" },
  // Other versions.
  {
    ...apply("alice", "a", {}),
    version: "v1beta1",
    body: { apiVersion: `${group}/v1beta1`, kind: "Widget", metadata: { name: "a" }, spec: { color: "red" } },
  },
  { method: "GET", name: "a" },
  { ...merge("ed", "a", { spec: { options: { beta: true } } }), version: "v1beta1" },
  { method: "GET", name: "a" },
  // Who says who owns what.
  create("carl", "b", { spec: { color: "red" } }, { labels: { x: "1" } }),
  merge("carl", "b", { metadata: { managedFields: [{}] } }),
  merge("carl", "b", { spec: { color: "blue" } }),
  apply("alice", "b", { spec: { color: "blue" } }),
  apply("alice", "b", { spec: { color: "green" } }),
  merge("carl", "b", { metadata: { managedFields: [] } }),
  merge("carl", "b", {
    metadata: {
      managedFields: [
        {
          manager: "given",
          operation: "Apply",
          apiVersion: `${group}/v1`,
          fieldsType: "FieldsV1",
          fieldsV1: { "f:spec": { "f:tags": { 'v:"q"': {} }, ".": {} } },
          time: "2026-01-02T03:04:05Z",
        },
      ],
    },
  }),
  merge("carl", "b", { metadata: { managedFields: [{ manager: "bad", operation: "Own" }] } }),
  merge("carl", "b", {
    metadata: {
      managedFields: [
        {
          manager: "bad",
          operation: "Apply",
          apiVersion: `${group}/v1`,
          fieldsType: "FieldsV1",
          fieldsV1: { "f:spec": { v: {} } },
        },
      ],
    },
  }),
  merge("carl", "b", {
    metadata: {
      managedFields: [
        {
          manager: "gone",
          operation: "Apply",
          apiVersion: `${group}/v7`,
          fieldsType: "FieldsV1",
          fieldsV1: { "f:spec": {} },
        },
      ],
    },
  }),
  { method: "GET", name: "b" },
  merge("carl", "b", { spec: { size: 1 } }),
  create(
    "carl",
    "given",
    { spec: { color: "red" } },
    {
      managedFields: [
        {
          manager: "m",
          operation: "Update",
          apiVersion: `${group}/v1`,
          fieldsType: "FieldsV1",
          fieldsV1: { "f:spec": { "f:color": {} } },
        },
      ],
    },
  ),
  // From client-side apply.
  create(
    "kubectl-client-side-apply",
    "mig",
    { spec: { color: "red", tags: ["x"] } },
    lastApplied({ color: "red", tags: ["x"] }),
  ),
  apply("argocd", "mig", { spec: { color: "blue" } }),
  apply("kubectl", "mig", { spec: { color: "blue", tags: ["y"] } }),
  { method: "GET", name: "mig" },
  // Refusals.
  { method: "PATCH", name: "a", type: "apply", body: widget("a", { spec: { color: "red" } }) },
  { method: "PATCH", name: "a", type: "merge", rest: "?force=true", body: {} },
  apply("alice", "a", { spec: { color: "red", nope: 1 } }),
  apply("alice", "a", { spec: { color: 5 } }),
  apply("alice", "a", { spec: { color: "red", replicas: "many" } }),
  apply("alice", "a", { spec: { color: "red", tags: { a: 1 } } }),
  apply("alice", "a", { spec: { color: "red", tags: ["q", "q"] } }),
  apply("alice", "a", { spec: { color: "red", parts: [{ name: "a" }, { name: "a" }] } }),
  apply("alice", "a", { spec: { color: "red", parts: [{ count: 1 }] } }),
  apply("alice", "a", { spec: { color: "purple" } }, { force: true }),
  apply("alice", "a", { spec: { color: "red" } }, { metadata: { managedFields: [] } }),
  apply("alice", "a", { spec: { color: "red" } }, { metadata: { resourceVersion: "1" } }),
  apply("alice", "a", { spec: { color: "red" } }, { metadata: { uid: "1234" } }),
  apply("alice", "new", { spec: { color: "red" } }, { metadata: { uid: "1234" } }),
  apply("alice", "new", { spec: { color: "red" } }, { metadata: { resourceVersion: "77" } }),
  apply("alice", "new", { spec: { replicas: 1 } }, { force: true }),
  apply("alice", "new", { spec: {} }),
  { ...apply("alice", "a", {}), body: { apiVersion: "v1", kind: "Secret", metadata: { name: "a" } } },
  { ...apply("alice", "a", {}), body: { apiVersion: `${group}/v1beta1`, kind: "Widget", metadata: { name: "a" } } },
  {
    ...apply("alice", "a", {}),
    body: { apiVersion: `${group}/v1`, kind: "Widget", metadata: { name: "other" }, spec: { color: "red" } },
  },
  { ...apply("alice", "x1", {}), body: { apiVersion: `${group}/v1`, kind: "Widget", spec: { color: "red" } } },
  {
    ...apply("alice", "x2", {}),
    body: {
      apiVersion: `${group}/v1`,
      kind: "Widget",
      metadata: { name: "x2", namespace: "elsewhere" },
      spec: { color: "red" },
    },
  },
  { ...apply("alice", "a", {}), body: "" },
  { ...apply("alice", "a", {}), body: "[1]" },
  { ...apply("alice", "a", {}), body: "a: [" },
  { ...apply("alice", "a", {}), body: "text" },
  ...["Strict", "Warn", "Ignore"].map((validation) => ({
    ...apply("alice", "dup", {}),
    rest: `?fieldManager=alice&fieldValidation=${validation}`,
    body: `apiVersion: ${group}/v1\nkind: Widget\nmetadata: {name: dup}\nspec:\n  color: red\n  color: blue\n`,
  })),
  {
    method: "PATCH",
    name: "a",
    type: "apply",
    rest: `?fieldManager=${"m".repeat(129)}`,
    body: widget("a", { spec: { color: "red" } }),
  },
  // PUT.
  {
    method: "PUT",
    name: "given",
    rest: "?fieldManager=putter",
    body: widget("given", { spec: { color: "green", replicas: 9, parts: [{ name: "p" }] } }),
  },
  { method: "GET", name: "given" },
  ...Array.from({ length: 12 }, (_, index) =>
    merge(`m${String(index).padStart(2, "0")}`, "given", { metadata: { labels: { [`l${index}`]: "1" } } }),
  ),
  { method: "GET", name: "given" },
];

const recording = new URL("../fixtures/apply-answers.jsonl", import.meta.url);

/** Reads kube-apiserver's answers, an answer a line. */
export function readAnswers(): Answered[] {
  const lines = readFileSync(recording, "utf8").trimEnd().split("\n");
  return lines.map((line) => JSON.parse(line) as Answered);
}

/** Records kube-apiserver's answers. */
export function writeAnswers(answers: readonly Answered[]): void {
  writeFileSync(recording, answers.map((answer) => `${JSON.stringify(answer)}\n`).join(""));
}

/** Asks all, and gives what is compared. */
export async function askAll(client: Client): Promise<Answered[]> {
  const answers: Answered[] = [];
  let version = "";
  for (const { method, name, rest = "", version: one = "v1", type, userAgent = "tester/1", body } of applyRequests) {
    const path = `/apis/${group}/${one}/namespaces/default/widgets${name === "" ? "" : `/${name}`}${rest}`;
    const whole = method === "PUT" && isJsonObject(body) ? withVersion(body, version) : body;
    const answer = await client.ask({
      method,
      path,
      headers: {
        "User-Agent": userAgent,
        ...(body === undefined ? {} : { "Content-Type": type === undefined ? "application/json" : types[type] }),
      },
      ...(body === undefined ? {} : { body: typeof whole === "string" ? whole : JSON.stringify(whole) }),
    });
    const found = JSON.parse(answer.body) as JsonObject;
    const metadata = found["metadata"];
    if (isJsonObject(metadata) && typeof metadata["resourceVersion"] === "string")
      version = metadata["resourceVersion"];
    const warnings = answer.headers["warning"];
    answers.push({
      status: answer.status,
      warnings: [warnings ?? []].flat() as string[],
      body: comparable(found),
    });
  }
  return answers;
}

function withVersion(body: JsonObject, resourceVersion: string): JsonObject {
  const metadata = isJsonObject(body["metadata"]) ? body["metadata"] : {};
  return { ...body, metadata: { ...metadata, resourceVersion } };
}

/** Without what differs from run to run. Times of entries are told as there or not. */
function comparable(value: JsonValue): JsonValue {
  if (typeof value === "string")
    return value.replace(/[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}/g, "UID");
  if (Array.isArray(value)) return value.map(comparable);
  if (!isJsonObject(value)) return value;
  const out: JsonObject = {};
  for (const key of Object.keys(value).sort()) {
    if (key === "resourceVersion" || key === "creationTimestamp") continue;
    const inner = value[key] as JsonValue;
    if (key === "time") out[key] = "";
    else if (key === "managedFields" && Array.isArray(inner)) out[key] = inOrder(inner).map(comparable);
    else out[key] = comparable(inner);
  }
  return out;
}

/** The order goes by time. */
function inOrder(entries: readonly JsonValue[]): JsonValue[] {
  const keyOf = (entry: JsonValue) => {
    const { operation, manager, apiVersion, subresource, fieldsV1 } = entry as JsonObject;
    return JSON.stringify([operation, manager, apiVersion, subresource, fieldsV1]);
  };
  return [...entries].sort((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1));
}
