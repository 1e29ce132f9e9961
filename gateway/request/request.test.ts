import assert from "node:assert/strict";
import { test } from "node:test";
import type { RequestInfo } from "../apimachinery/request-info.ts";
import { TextError, UnreadableRequest } from "../apimachinery/text-error.ts";
import { auditIdOf, isLongRunning, maxRequestMs, parseQuery, parseRequestInfo, requestDeadlineMs } from "./request.ts";

const info = (method: string, uri: string): RequestInfo => {
  const [path = "", query = ""] = uri.split("?", 2);
  return parseRequestInfo({ method, path, query, uri });
};

const empty: RequestInfo = {
  isResourceRequest: false,
  path: "",
  verb: "",
  apiPrefix: "",
  apiGroup: "",
  apiVersion: "",
  namespace: "",
  resource: "",
  subresource: "",
  name: "",
  parts: [],
  legacyWatch: false,
  fieldSelector: "",
  labelSelector: "",
};

const g = { isResourceRequest: true, apiPrefix: "apis", apiGroup: "g", apiVersion: "v1", resource: "res" };
const core = { isResourceRequest: true, apiPrefix: "api", apiVersion: "v1", resource: "pods" };

const resources: readonly [method: string, uri: string, wanted: Partial<RequestInfo>][] = [
  ["GET", "/apis/g/v1/namespaces/a/res?watch=1", { ...g, verb: "watch", namespace: "a", parts: ["res"] }],
  [
    "GET",
    "/apis/g/v1/res?fieldSelector=metadata.name%3Dx",
    { ...g, verb: "list", name: "x", parts: ["res"], fieldSelector: "metadata.name=x" },
  ],
  [
    "PUT",
    "/apis/g/v1/namespaces/a/res/x/status",
    { ...g, verb: "update", namespace: "a", name: "x", subresource: "status", parts: ["res", "x", "status"] },
  ],
  [
    "GET",
    "/apis/g/v1/watch/namespaces/a/res/x",
    { ...g, verb: "watch", namespace: "a", name: "x", parts: ["res", "x"], legacyWatch: true },
  ],
  ["DELETE", "/apis/g/v1/namespaces/a/res", { ...g, verb: "deletecollection", namespace: "a", parts: ["res"] }],
  [
    "POST",
    "/apis/g/v1/namespaces/a/res/x/connect/sub/path",
    {
      ...g,
      verb: "create",
      namespace: "a",
      name: "x",
      subresource: "connect",
      parts: ["res", "x", "connect", "sub", "path"],
    },
  ],
  ["GET", "/api/v1/namespaces", { ...core, verb: "list", resource: "namespaces", parts: ["namespaces"] }],
  [
    "GET",
    "/api/v1/namespaces/other",
    { ...core, verb: "get", resource: "namespaces", namespace: "other", name: "other", parts: ["namespaces", "other"] },
  ],
  [
    "PUT",
    "/api/v1/namespaces/other/finalize",
    {
      ...core,
      verb: "update",
      resource: "namespaces",
      subresource: "finalize",
      namespace: "other",
      name: "other",
      parts: ["namespaces", "other", "finalize"],
    },
  ],
  [
    "HEAD",
    "/api/v1/namespaces/other/pods/foo",
    { ...core, verb: "get", namespace: "other", name: "foo", parts: ["pods", "foo"] },
  ],
  ["HEAD", "/api/v1/pods", { ...core, verb: "list", parts: ["pods"] }],
  ["GET", "/api/v1/pods?watch=FALSE", { ...core, verb: "list", parts: ["pods"] }],
  ["GET", "/api/v1/pods?watch", { ...core, verb: "watch", parts: ["pods"] }],
  [
    "GET",
    "/api/v1/proxy/namespaces/other/pods/foo/not/a/subresource",
    { ...core, verb: "proxy", namespace: "other", name: "foo", parts: ["pods", "foo", "not", "a", "subresource"] },
  ],
  ["PATCH", "/apis/g/v1/res/x", { ...g, verb: "patch", name: "x", parts: ["res", "x"] }],
  ["DELETE", "/apis/g/v1/res/x", { ...g, verb: "delete", name: "x", parts: ["res", "x"] }],
  ["OPTIONS", "/apis/g/v1/res", { ...g, verb: "", parts: ["res"] }],
  ["GET", "/apis/g/v1/res/x?watch=1&fieldSelector=a%3Db", { ...g, verb: "get", name: "x", parts: ["res", "x"] }],
  ["GET", "//apis/g/v1/res//", { ...g, verb: "list", parts: ["res"] }],
  ["GET", "/apis/g/v1/res/a%2Bb+c", { ...g, verb: "get", name: "a+b+c", parts: ["res", "a+b+c"] }],
  [
    "GET",
    "/apis/g/v1/res/x%2Fstatus",
    { ...g, verb: "get", name: "x", subresource: "status", parts: ["res", "x", "status"] },
  ],
  ["GET", "/apis/g/v1/res/%C3%A4%ff", { ...g, verb: "get", name: "ä\ufffd", parts: ["res", "ä\ufffd"] }],
  [
    "GET",
    "/apis/g/v1/res?fieldSelector=foo%3Dbar&labelSelector=baz=qux&labelSelector=x",
    { ...g, verb: "list", parts: ["res"], fieldSelector: "foo=bar", labelSelector: "baz=qux" },
  ],
  [
    "GET",
    "/apis/g/v1/res?fieldSelector=metadata.name=a,foo&watch=true",
    { ...g, verb: "watch", parts: ["res"], fieldSelector: "metadata.name=a,foo" },
  ],
  [
    "GET",
    "/apis/g/v1/res?fieldSelector=metadata.name=a&limit=x&watch=0",
    { ...g, verb: "list", parts: ["res"], fieldSelector: "metadata.name=a" },
  ],
  [
    "GET",
    "/apis/g/v1/res?fieldSelector=metadata.name=a%252fb",
    { ...g, verb: "list", parts: ["res"], fieldSelector: "metadata.name=a%2fb" },
  ],
  [
    "GET",
    "/apis/g/v1/res?fieldSelector=metadata.name!=a",
    { ...g, verb: "list", parts: ["res"], fieldSelector: "metadata.name!=a" },
  ],
  [
    "DELETE",
    "/apis/g/v1/res?fieldSelector=metadata.name=a",
    { ...g, verb: "deletecollection", parts: ["res"], fieldSelector: "metadata.name=a" },
  ],
  [
    "GET",
    "/apis/g/v1/watch/res?fieldSelector=metadata.name=a",
    { ...g, verb: "watch", parts: ["res"], legacyWatch: true },
  ],
];

test("parseRequestInfo() reads resource requests as kube-apiserver does", () => {
  for (const [method, uri, wanted] of resources) {
    const path = decodeURIComponent((uri.split("?")[0] ?? "").replace("%ff", "%EF%BF%BD"));
    assert.deepEqual(info(method, uri), { ...empty, path, ...wanted }, `${method} ${uri}`);
  }
});

test("parseRequestInfo() takes every other path for no resource, with the method as verb", () => {
  const paths = ["", "/", "/api", "/api/v1", "/api/v1/", "/apis", "/apis/g", "/openapi/v3", "/not-api/v1/res"];
  for (const path of paths) assert.deepEqual(info("GET", path), { ...empty, path, verb: "get" }, path);
  assert.deepEqual(info("GET", "/apis/g/v1/"), { ...empty, path: "/apis/g/v1/", verb: "get", apiPrefix: "apis" });
  assert.equal(info("POST", "/livez").verb, "post");
});

test("parseRequestInfo() answers 500 in text for a path that ends behind watch", () => {
  assert.throws(
    () => info("GET", "/apis/g/v1/watch?a=<b>"),
    (error: unknown) =>
      error instanceof TextError &&
      error.code === 500 &&
      error.text ===
        'Internal Server Error: "/apis/g/v1/watch?a=&lt;b&gt;": failed to create RequestInfo: ' +
          "unable to determine kind and namespace from url, /apis/g/v1/watch?a=&lt;b&gt;",
  );
});

test("parseRequestInfo() refuses a path with a broken escape", () => {
  assert.throws(() => info("GET", "/apis/g/v1/res/%zz"), new UnreadableRequest());
});

test("parseQuery() reads as Go does: first value first, bad pairs left out", () => {
  const query = parseQuery("a=1&a=2&b=x+y%2B&c&=e&&d;e=1&f=%zz&%4=1&g=a=b");
  assert.deepEqual(
    [...query],
    [
      ["a", ["1", "2"]],
      ["b", ["x y+"]],
      ["c", [""]],
      ["", ["e"]],
      ["g", ["a=b"]],
    ],
  );
});

test("parseQuery() drops a query with more than 10,000 pairs", () => {
  assert.equal(parseQuery("a&".repeat(9_999)).size, 1);
  assert.equal(parseQuery("a&".repeat(10_000)).size, 0);
});

test("requestDeadlineMs() reads Go durations and caps them", () => {
  const of = (timeout: string) => requestDeadlineMs(parseQuery(`timeout=${timeout}`));
  assert.equal(of("1.5s"), 1500);
  assert.equal(requestDeadlineMs(parseQuery("")), maxRequestMs);
  for (const capped of ["", "0", "0s", "-1s", "60s", "2h"]) assert.equal(of(capped), 60_000, capped);
  assert.throws(() => of("x"), {
    name: "StatusError",
    message: 'invalid timeout specified in the request URL - time: invalid duration "x"',
  });
  assert.throws(() => of("5"), {
    message: 'invalid timeout specified in the request URL - time: missing unit in duration "5"',
  });
});

test("isLongRunning() is true for watches of both forms", () => {
  assert.equal(isLongRunning(info("GET", "/apis/g/v1/res?watch=1")), true);
  assert.equal(isLongRunning(info("GET", "/apis/g/v1/watch/res")), true);
  assert.equal(isLongRunning(info("GET", "/apis/g/v1/res")), false);
  assert.equal(isLongRunning(info("WATCH", "/livez")), false);
});

test("auditIdOf() keeps what came, whatever it is", () => {
  assert.equal(
    auditIdOf("any thing", () => "new"),
    "any thing",
  );
  assert.equal(
    auditIdOf("", () => "new"),
    "new",
  );
  assert.equal(
    auditIdOf(undefined, () => "new"),
    "new",
  );
});
