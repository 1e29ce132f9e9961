import assert from "node:assert/strict";
import { test } from "node:test";
import { StatusError } from "../apimachinery/status.ts";
import { type AnswerScope, negotiateAnswer, parseAccept } from "./negotiation.ts";

const all: AnswerScope = { table: true, partial: true, stream: false };
const form = (accept: string | undefined, scope: Partial<AnswerScope> = {}) =>
  negotiateAnswer({ accept, userAgent: undefined, prettyQuery: undefined }, { ...all, ...scope });
const short = (accept: string, scope: Partial<AnswerScope> = {}) => {
  const { mediaType, as, asVersion } = form(accept, scope);
  return as === "" ? mediaType : `${mediaType} ${as} ${asVersion}`;
};

function unacceptable(accept: string, message: string, scope: Partial<AnswerScope> = {}): void {
  assert.throws(
    () => form(accept, scope),
    (error) =>
      error instanceof StatusError &&
      error.status.code === 406 &&
      error.status.reason === "NotAcceptable" &&
      error.status.details === undefined &&
      error.message === message,
  );
}

const listed =
  "only the following media types are accepted: application/json, application/yaml, application/vnd.kubernetes.protobuf";
const listedStreams =
  "only the following media types are accepted: application/json;stream=watch, application/vnd.kubernetes.protobuf;stream=watch";

test("negotiateAnswer() takes JSON where nothing or anything is asked for", () => {
  assert.deepEqual(form(undefined), { mediaType: "application/json", as: "", asVersion: "v1", pretty: false });
  for (const accept of ["", "*/*", "*", "application/*", "text/html, */*;q=0.1"]) {
    assert.equal(short(accept), "application/json");
  }
});

test("negotiateAnswer() prefers quality, but what is specific to what is not", () => {
  assert.equal(short("application/json;q=0.5, application/yaml"), "application/yaml");
  assert.equal(short("application/yaml, application/json"), "application/yaml");
  assert.equal(short("*/*;q=1, application/yaml;q=0.5"), "application/yaml");
  assert.equal(short("application/vnd.kubernetes.protobuf, application/yaml"), "application/yaml");
  assert.equal(short("application/json;charset=utf-8"), "application/json");
});

test("negotiateAnswer() knows the transforms that clients ask for", () => {
  const kubectl =
    "application/json;as=Table;v=v1;g=meta.k8s.io,application/json;as=Table;v=v1beta1;g=meta.k8s.io,application/json";
  assert.equal(short(kubectl), "application/json Table v1");
  assert.equal(short(kubectl, { table: false }), "application/json");
  const metadata =
    "application/vnd.kubernetes.protobuf;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json";
  assert.equal(short(metadata), "application/json PartialObjectMetadataList v1");
  assert.equal(short(metadata, { partial: false }), "application/json");
  assert.equal(short("application/yaml;as=Table;v=v1beta1;g=meta.k8s.io"), "application/yaml Table v1beta1");
  assert.equal(short("*/*;as=PartialObjectMetadata;v=v1;g=meta.k8s.io"), "application/json PartialObjectMetadata v1");
});

test("negotiateAnswer() refuses what it can't give", () => {
  for (const accept of [
    "text/html",
    "application/vnd.kubernetes.protobuf",
    "application/json;as=Table;v=v2;g=meta.k8s.io",
    "application/json;as=Table",
    'application/json;as="Table";v=v1;g=meta.k8s.io',
    "application/json;as=Chair;v=v1;g=meta.k8s.io",
    "application/json;sv=v2",
    "application/yaml;stream=watch",
    "nonsense",
  ]) {
    unacceptable(accept, listed);
  }
  unacceptable("application/json;as=Table;v=v1;g=meta.k8s.io", listed, { table: false });
});

test("negotiateAnswer() streams JSON only", () => {
  assert.equal(short("application/json;stream=watch", { stream: true }), "application/json");
  assert.equal(short("application/vnd.kubernetes.protobuf;stream=watch, */*", { stream: true }), "application/json");
  unacceptable("application/yaml", listedStreams, { stream: true });
  unacceptable("application/vnd.kubernetes.protobuf", listed, { stream: true });
});

test("negotiateAnswer() indents JSON by query, Accept or agent", () => {
  const pretty = (accept: string, userAgent: string | undefined, prettyQuery: string | undefined, stream = false) =>
    negotiateAnswer({ accept, userAgent, prettyQuery }, { ...all, stream }).pretty;
  for (const query of ["1", "t", "T", "true", "TRUE", "True"]) assert.ok(pretty("", undefined, query));
  for (const query of ["0", "false", "yes"]) assert.ok(!pretty("", "curl/8", query));
  for (const agent of ["curl/8", "Wget/1", "Mozilla/5.0 (X11)"]) assert.ok(pretty("", agent, ""));
  assert.ok(!pretty("", "kubectl/v1.36", undefined));
  assert.ok(pretty("application/json;pretty=1", undefined, "0"));
  assert.ok(!pretty("application/json;pretty=true", undefined, undefined));
  assert.ok(!pretty("application/yaml", "curl/8", "1"));
  assert.ok(!pretty("", "curl/8", "1", true));
});

test("parseAccept() skips what is no media range, and parameters without a value", () => {
  const clauses = parseAccept(" a/b ; q=0.5;x= y ;z=;w, c, /d, e/f/g, *;q=oops");
  assert.deepEqual(
    clauses.map(({ type, subtype, quality, params }) => [type, subtype, quality, [...params]]),
    [
      ["", "d", 1, []],
      ["a", "b", 0.5, [["x", "y"]]],
      ["*", "*", 0, []],
    ],
  );
});
