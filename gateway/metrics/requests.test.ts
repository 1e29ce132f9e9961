import assert from "node:assert/strict";
import { test } from "node:test";
import type { RequestInfo } from "../apimachinery/request-info.ts";
import { definitionWith, versionWith } from "../apimachinery/resource.fixture.ts";
import { formatFamilies } from "./exposition.ts";
import { createRequestMetrics, type SeenRequest } from "./requests.ts";

const version = versionWith();
const exec = { name: "exec", kind: "stream", methods: ["GET"], acceptedTypes: [] } as const;
const responseKind = { group: "", version: "", kind: "" };
const resource = {
  definition: definitionWith({
    subresources: [
      { ...exec, responseKind },
      { ...exec, responseKind, name: "restart" },
    ],
  }),
  version,
};

const info = (change: Partial<RequestInfo>): RequestInfo => ({
  isResourceRequest: true,
  path: "/apis/example.com/v1/…",
  verb: "get",
  apiPrefix: "apis",
  apiGroup: "example.com",
  apiVersion: "v1",
  namespace: "ns",
  resource: "widgets",
  subresource: "",
  name: "",
  parts: [],
  legacyWatch: false,
  fieldSelector: "",
  labelSelector: "",
  ...change,
});
const seen = (method: string, change: Partial<RequestInfo>, more: Partial<SeenRequest> = {}): SeenRequest => ({
  method,
  info: info(change),
  dryRun: [],
  contentType: undefined,
  resource,
  ...more,
});
const done = { code: 200, bytes: 10, seconds: 0.1 };

/** Gives the labels that differ from a widget's. */
async function labelsOf(request: SeenRequest): Promise<string> {
  const metrics = createRequestMetrics();
  metrics.answered(request, done);
  const text = Buffer.concat(await formatFamilies(metrics.families)).toString();
  const { 1: labels = "" } = /^apiserver_request_total\{(.*)\} 1$/m.exec(text) ?? [];
  const usual = new Set(['code="200"', 'component="apiserver"', 'dry_run=""', 'subresource=""']);
  const widgets = 'group="example.com",resource="widgets",version="v1"'.split(",");
  const left = labels.split(",").filter((label) => !usual.has(label) && !widgets.includes(label));
  return left.join(" ").replaceAll('"', "");
}

test("answered() tells requests apart as kube-apiserver does", async () => {
  const patch = { verb: "patch", name: "a" };
  const apply = { contentType: "application/apply-patch+yaml" };
  const cases: readonly [SeenRequest, string][] = [
    [seen("GET", { name: "a" }), "scope=resource verb=GET"],
    [seen("HEAD", { name: "a" }), "scope=resource verb=GET"],
    [seen("GET", { verb: "list" }), "scope=namespace verb=LIST"],
    [seen("GET", { verb: "list", namespace: "" }), "scope=cluster verb=LIST"],
    [seen("GET", { verb: "watch", namespace: "" }), "scope=cluster verb=WATCH"],
    [seen("POST", { verb: "create" }), "scope=resource verb=POST"],
    [seen("DELETE", { verb: "deletecollection" }), "scope=namespace verb=DELETE"],
    [seen("PATCH", patch), "scope=resource verb=PATCH"],
    [seen("PATCH", patch, apply), "scope=resource verb=APPLY"],
    [seen("GET", { name: "a", subresource: "status" }), "scope=resource subresource=status verb=GET"],
    [seen("POST", { name: "a", subresource: "restart" }), "scope=resource subresource=restart verb=POST"],
    [seen("GET", { name: "a", subresource: "exec" }), "scope=resource subresource=exec verb=CONNECT"],
    [seen("PUT", { name: "a" }, { dryRun: ["All", "All"] }), "dry_run=All scope=resource verb=PUT"],
    [seen("PUT", { name: "a" }, { dryRun: ["All", "no"] }), "dry_run=invalid scope=resource verb=PUT"],
  ];
  for (const [request, labels] of cases) assert.equal(await labelsOf(request), labels);
});

test("answered() takes no word of a client for a label", async () => {
  const path = (of: string) => ({ isResourceRequest: false, path: of, namespace: "", verb: "get" });
  const cases: readonly [SeenRequest, string][] = [
    [seen("BREW", { verb: "" }), "scope=namespace verb=other"],
    [seen("GET", { name: "a", subresource: "x123" }), "scope=resource verb=GET"],
    [seen("GET", { name: "a" }, { resource: undefined }), "group= resource= scope=resource verb=GET version="],
    [
      seen("GET", path("/readyz"), { resource: undefined }),
      "group= resource= scope= subresource=/readyz verb=GET version=",
    ],
    [seen("GET", path("/x/123"), { resource: undefined }), "group= resource= scope= verb=GET version="],
    [{ ...seen("GET", {}), info: undefined, resource: undefined }, "group= resource= scope= verb=GET version="],
  ];
  for (const [request, labels] of cases) assert.equal(await labelsOf(request), labels);
});

test("lasting() counts what is open, and answered() the sizes of reads alone", async () => {
  const metrics = createRequestMetrics();
  const watch = seen("GET", { verb: "watch" });
  const end = metrics.lasting(watch);
  metrics.lasting(watch);
  end();
  metrics.answered(watch, { ...done, bytes: undefined });
  metrics.answered(seen("POST", { verb: "create" }), { ...done, code: 201 });
  metrics.answered(seen("GET", { verb: "list" }), { ...done, bytes: 1_001 });
  const text = Buffer.concat(await formatFamilies(metrics.families)).toString();
  assert.match(text, /^apiserver_longrunning_requests\{.*verb="WATCH".*\} 1$/m);
  const sizes = text.split("\n").filter((line) => line.startsWith("apiserver_response_sizes_count"));
  assert.equal(sizes.length, 1);
  assert.match(sizes[0] ?? "", /verb="LIST"/);
  assert.match(text, /^apiserver_response_sizes_bucket\{.*le="1000"\} 0$/m);
  assert.match(text, /^apiserver_response_sizes_bucket\{.*le="10000"\} 1$/m);
});
