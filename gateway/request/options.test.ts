import assert from "node:assert/strict";
import { test } from "node:test";
import { type JsonValue, parseJson } from "../apimachinery/json.ts";
import type { ListOptions } from "../apimachinery/options.ts";
import { type Status, StatusError } from "../apimachinery/status.ts";
import {
  fieldManagerOf,
  parseCreateOptions,
  parseDeleteOptions,
  parseGetOptions,
  parseListOptions,
  parsePatchOptions,
  parseQuery,
  parseTableOptions,
  parseUpdateOptions,
} from "./request.ts";

function statusOf(run: () => unknown): Status {
  try {
    run();
  } catch (error) {
    if (error instanceof StatusError) return error.status;
    throw error;
  }
  throw new Error("did not throw");
}

const refused = (run: () => unknown) => {
  const { code, message } = statusOf(run);
  return `${code} ${message}`;
};

const noList: ListOptions = {
  labelSelector: "",
  fieldSelector: "",
  watch: false,
  allowWatchBookmarks: false,
  resourceVersion: "",
  resourceVersionMatch: "",
  timeoutSeconds: undefined,
  limit: 0,
  continue: "",
  sendInitialEvents: undefined,
};
const list = (query: string) => parseListOptions(parseQuery(query));

test("parseListOptions() reads every field", () => {
  assert.deepEqual(list(""), noList);
  assert.deepEqual(
    list(
      "labelSelector=a%3Db&fieldSelector=metadata.name%3Dx&watch=yes&allowWatchBookmarks=true&resourceVersion=5" +
        "&resourceVersionMatch=NotOlderThan&timeoutSeconds=-3&limit=7&limit=x&sendInitialEvents=0&unknown=1",
    ),
    {
      labelSelector: "a=b",
      fieldSelector: "metadata.name=x",
      watch: true,
      allowWatchBookmarks: true,
      resourceVersion: "5",
      resourceVersionMatch: "NotOlderThan",
      timeoutSeconds: -3,
      limit: 7,
      continue: "",
      sendInitialEvents: false,
    },
  );
});

test("parseListOptions() asks for initial events on a watch from now", () => {
  const initial = { watch: true, sendInitialEvents: true, resourceVersionMatch: "NotOlderThan" };
  assert.deepEqual(list("watch=1"), { ...noList, ...initial });
  assert.deepEqual(list("watch=1&resourceVersion=0"), { ...noList, ...initial, resourceVersion: "0" });
  assert.deepEqual(list("watch=1&resourceVersion=1"), { ...noList, watch: true, resourceVersion: "1" });
  assert.deepEqual(list("resourceVersion=0"), { ...noList, resourceVersion: "0" });
});

test("parseListOptions() refuses what can't be read, numbers before selectors, both before rules", () => {
  assert.equal(
    refused(() => list("limit=abc")),
    '400 strconv.ParseInt: parsing "abc": invalid syntax',
  );
  assert.equal(
    refused(() => list("timeoutSeconds=")),
    '400 strconv.ParseInt: parsing "": invalid syntax',
  );
  assert.equal(
    refused(() => list("limit=9223372036854775808&fieldSelector=foo")),
    '400 strconv.ParseInt: parsing "9223372036854775808": value out of range',
  );
  assert.equal(
    refused(() => list("fieldSelector=foo&sendInitialEvents=1")),
    "400 invalid selector: 'foo'; can't understand 'foo'",
  );
  assert.equal(
    refused(() => list("labelSelector=a+b")),
    "400 unable to parse requirement: found 'b', expected: in, notin, =, ==, !=, gt, lt",
  );
});

test("parseListOptions() refuses options of a list that don't go together", () => {
  const one = (query: string) => refused(() => list(query)).replace('422 ListOptions.meta.k8s.io "" is invalid: ', "");
  assert.equal(
    one("resourceVersionMatch=Exact"),
    "resourceVersionMatch: Forbidden: resourceVersionMatch is forbidden unless resourceVersion is provided",
  );
  assert.equal(
    one("resourceVersionMatch=Exact&resourceVersion=1&continue=x"),
    "resourceVersionMatch: Forbidden: resourceVersionMatch is forbidden when continue is provided",
  );
  assert.equal(
    one("resourceVersionMatch=Exact&resourceVersion=0"),
    'resourceVersionMatch: Forbidden: resourceVersionMatch "exact" is forbidden for resourceVersion "0"',
  );
  assert.equal(
    one("resourceVersionMatch=<x&resourceVersion=1"),
    'resourceVersionMatch: Unsupported value: "\\u003cx": supported values: "Exact", "NotOlderThan", ""',
  );
  assert.equal(
    one("sendInitialEvents=false&resourceVersionMatch=NotOlderThan"),
    "[resourceVersionMatch: Forbidden: resourceVersionMatch is forbidden unless resourceVersion is provided, " +
      "sendInitialEvents: Forbidden: sendInitialEvents is forbidden for list]",
  );
});

test("parseListOptions() refuses options of a watch that don't go together", () => {
  const one = (query: string) =>
    refused(() => list(`watch=1&${query}`)).replace('422 ListOptions.meta.k8s.io "" is invalid: ', "");
  const requires =
    "resourceVersionMatch: Forbidden: sendInitialEvents requires setting resourceVersionMatch to NotOlderThan";
  assert.equal(one("sendInitialEvents=false"), requires);
  assert.equal(
    one("sendInitialEvents=true&resourceVersionMatch=Exact"),
    `[${requires}, resourceVersionMatch: Unsupported value: "Exact": supported values: "NotOlderThan"]`,
  );
  assert.equal(
    one("resourceVersionMatch=NotOlderThan"),
    "resourceVersionMatch: Forbidden: resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided",
  );
  assert.equal(
    one("continue=x"),
    "resourceVersionMatch: Forbidden: resourceVersionMatch is forbidden when continue is provided",
  );
});

test("parseListOptions() gives details with the 422", () => {
  assert.deepEqual(statusOf(() => list("sendInitialEvents=1")).details, {
    group: "meta.k8s.io",
    kind: "ListOptions",
    causes: [
      {
        reason: "FieldValueForbidden",
        message: "Forbidden: sendInitialEvents is forbidden for list",
        field: "sendInitialEvents",
      },
    ],
  });
});

test("parseGetOptions() refuses an export", () => {
  const get = (query: string) => parseGetOptions(parseQuery(query));
  assert.deepEqual(get("resourceVersion=7&export=false"), { resourceVersion: "7" });
  assert.equal(
    refused(() => get("export=true")),
    "400 the export parameter, deprecated since v1.14, is no longer supported",
  );
});

test("parseTableOptions() defaults to Metadata", () => {
  const table = (query: string) => parseTableOptions(parseQuery(query));
  assert.equal(table(""), "Metadata");
  assert.equal(table("includeObject=None"), "None");
  assert.equal(table("includeObject=Object"), "Object");
  assert.equal(
    refused(() => table("includeObject=x")),
    "400 Unable to convert to Table as requested: includeObject: Invalid value: \"x\": must be 'Metadata', 'Object', 'None', or empty",
  );
});

test("parseCreateOptions() fills in Warn and reads dryRun", () => {
  const create = (query: string) => parseCreateOptions(parseQuery(query));
  assert.deepEqual(create(""), { dryRun: false, fieldManager: "", fieldValidation: "Warn" });
  assert.deepEqual(create("dryRun=All&dryRun=All&fieldManager=me&fieldValidation=Strict"), {
    dryRun: true,
    fieldManager: "me",
    fieldValidation: "Strict",
  });
});

test("parseCreateOptions() refuses values that are not allowed", () => {
  const create = (query: string) => () => parseCreateOptions(parseQuery(query));
  const says = '422 CreateOptions.meta.k8s.io "" is invalid: ';
  assert.equal(refused(create("dryRun=x")), `${says}dryRun: Unsupported value: ["x"]: supported values: "All"`);
  assert.equal(
    refused(create("dryRun=All&dryRun=")),
    `${says}dryRun: Unsupported value: ["All",""]: supported values: "All"`,
  );
  assert.equal(
    refused(create("fieldValidation=strict")),
    `${says}fieldValidation: Unsupported value: "strict": supported values: "", "Ignore", "Strict", "Warn"`,
  );
  assert.equal(
    refused(create("fieldManager=a%0Ab")),
    `${says}fieldManager: Invalid value: "a\\nb": invalid character U+000A (at position 1)`,
  );
  assert.equal(
    refused(create(`fieldManager=${"%C3%A4".repeat(64)}x`)),
    `${says}fieldManager: Too long: may not be more than 128 bytes`,
  );
  assert.equal(
    refused(() => parseUpdateOptions(parseQuery("dryRun="))),
    '422 UpdateOptions.meta.k8s.io "" is invalid: dryRun: Unsupported value: [""]: supported values: "All"',
  );
});

test("parsePatchOptions() has rules of its own for apply and for force", () => {
  const patch = (query: string, isApply: boolean) => parsePatchOptions(parseQuery(query), isApply);
  assert.deepEqual(patch("force=1&fieldManager=m", true), {
    dryRun: false,
    fieldManager: "m",
    fieldValidation: "Warn",
    force: true,
  });
  assert.equal(patch("", false).force, undefined);
  const says = '422 PatchOptions.meta.k8s.io "" is invalid: ';
  assert.equal(
    refused(() => patch("", true)),
    `${says}fieldManager: Required value: is required for apply patch`,
  );
  assert.equal(
    refused(() => patch("force=false", false)),
    `${says}force: Forbidden: may not be specified for non-apply patch`,
  );
});

test("fieldManagerOf() takes the User-Agent's product, printable and short", () => {
  assert.equal(fieldManagerOf("me", "kubectl/v1"), "me");
  assert.equal(fieldManagerOf("", "kubectl/v1.36 (linux)"), "kubectl");
  assert.equal(fieldManagerOf("", "a\tb c/x"), "ab c");
  assert.equal(fieldManagerOf("", ""), "");
  const umlauts = Buffer.from("ä".repeat(70)).toString("latin1");
  assert.equal(fieldManagerOf("", umlauts), "ä".repeat(64));
});

const noDelete = {
  dryRun: false,
  gracePeriodSeconds: undefined,
  propagationPolicy: undefined,
  orphanDependents: undefined,
  preconditions: { uid: undefined, resourceVersion: undefined },
};
const deleteWith = (body: string) => parseDeleteOptions(parseQuery("gracePeriodSeconds=9"), parseJson(body));

test("parseDeleteOptions() reads the query where there is no body", () => {
  const of = (query: string) => parseDeleteOptions(parseQuery(query), undefined);
  assert.deepEqual(of(""), noDelete);
  assert.deepEqual(of("gracePeriodSeconds=-1&propagationPolicy=Orphan&dryRun=All&uid=u&resourceVersion=7"), {
    dryRun: true,
    gracePeriodSeconds: -1,
    propagationPolicy: "Orphan",
    orphanDependents: undefined,
    preconditions: { uid: "u", resourceVersion: "7" },
  });
  assert.equal(of("orphanDependents").orphanDependents, true);
  assert.equal(
    refused(() => of("gracePeriodSeconds=x")),
    '400 strconv.ParseInt: parsing "x": invalid syntax',
  );
});

test("parseDeleteOptions() reads a body in place of the query", () => {
  assert.deepEqual(deleteWith("{}"), noDelete);
  assert.deepEqual(deleteWith("null"), noDelete);
  assert.deepEqual(
    deleteWith(
      '{"apiVersion":"any.group/v7","kind":"DeleteOptions","gracePeriodSeconds":0,"orphanDependents":false,' +
        '"dryRun":["All"],"preconditions":{"uid":"","resourceVersion":null},"unknown":1,"propagationPolicy":null}',
    ),
    {
      dryRun: true,
      gracePeriodSeconds: 0,
      propagationPolicy: undefined,
      orphanDependents: false,
      preconditions: { uid: "", resourceVersion: undefined },
    },
  );
});

test("parseDeleteOptions() refuses bodies of another kind or shape", () => {
  const bodies: readonly [body: string, text: string][] = [
    [
      '{"apiVersion":"v1","kind":"Foo"}',
      'no kind "Foo" is registered for version "v1" in scheme "pkg/runtime/scheme.go:111"',
    ],
    [
      '{"kind":"Foo"}',
      'no kind "Foo" is registered for version "meta.k8s.io/v1" in scheme "pkg/runtime/scheme.go:111"',
    ],
    [
      '{"apiVersion":"g/v1","kind":"CreateOptions"}',
      "converting (v1.CreateOptions) to (v1.DeleteOptions): unknown conversion",
    ],
    ['{"apiVersion":"v1","kind":"Status"}', "converting (v1.Status) to (v1.DeleteOptions): unknown conversion"],
    ['{"apiVersion":"a/b/c","kind":"Foo"}', "unexpected GroupVersion string: a/b/c"],
    [
      '{"kind":7}',
      "couldn't get version/kind; json parse error: json: cannot unmarshal number into Go struct field .kind of type string",
    ],
    [
      "[]",
      "couldn't get version/kind; json parse error: json: cannot unmarshal array into Go value of type " +
        'struct { APIVersion string "json:\\"apiVersion,omitempty\\""; Kind string "json:\\"kind,omitempty\\"" }',
    ],
    [
      '{"gracePeriodSeconds":"5"}',
      "json: cannot unmarshal string into Go struct field DeleteOptions.gracePeriodSeconds of type int64",
    ],
    [
      '{"gracePeriodSeconds":1.5}',
      "json: cannot unmarshal number 1.5 into Go struct field DeleteOptions.gracePeriodSeconds of type int64",
    ],
    ['{"dryRun":"All"}', "json: cannot unmarshal string into Go struct field DeleteOptions.dryRun of type []string"],
    [
      '{"preconditions":{"uid":7}}',
      "json: cannot unmarshal number into Go struct field Preconditions.preconditions.uid of type types.UID",
    ],
    [
      '{"orphanDependents":1}',
      "json: cannot unmarshal number into Go struct field DeleteOptions.orphanDependents of type bool",
    ],
  ];
  for (const [body, text] of bodies)
    assert.equal(
      refused(() => deleteWith(body)),
      `400 ${text}`,
      body,
    );
});

test("parseDeleteOptions() refuses options that don't go together", () => {
  const of = (body: JsonValue) => refused(() => parseDeleteOptions(parseQuery(""), body));
  const says = '422 DeleteOptions.meta.k8s.io "" is invalid: ';
  assert.equal(
    of({ propagationPolicy: "Orphan", orphanDependents: false }),
    `${says}propagationPolicy: Invalid value: "Orphan": orphanDependents and deletionPropagation cannot be both set`,
  );
  assert.equal(
    of({ propagationPolicy: "" }),
    `${says}propagationPolicy: Unsupported value: "": supported values: "Foreground", "Background", "Orphan", "nil"`,
  );
  assert.equal(of({ dryRun: ["x"] }), `${says}dryRun: Unsupported value: ["x"]: supported values: "All"`);
});

test("parseListOptions() takes a limit below nothing for none", () => {
  assert.equal(parseListOptions(parseQuery("limit=-1")).limit, 0);
});
