import assert from "node:assert/strict";
import { test } from "node:test";
import { encodeJson } from "../apimachinery/json.ts";
import { StatusError } from "../apimachinery/status.ts";
import { bodyFormat, decodeJson, decodeLoosely, decodeObject } from "./negotiation.ts";

const gear = { group: "g.io", version: "v1", kind: "Gear" };
const decode = (body: string | Buffer, format: "json" | "yaml" = "json") =>
  decodeObject(Buffer.from(body as string), format, gear);

async function refused(body: string | Buffer, message: string, format: "json" | "yaml" = "json"): Promise<void> {
  await assert.rejects(decode(body, format), (error) => {
    assert.ok(error instanceof StatusError);
    assert.equal(error.message, message);
    assert.deepEqual([error.status.code, error.status.reason], [400, "BadRequest"]);
    return true;
  });
}

const unrecognized = "the object provided is unrecognized (must be of type Gear): ";
const unparsed = `${unrecognized}couldn't get version/kind; json parse error: `;

test("bodyFormat() reads a Content-Type as Go's mime package", () => {
  assert.equal(bodyFormat(undefined), "json");
  assert.equal(bodyFormat(""), "json");
  assert.equal(bodyFormat("APPLICATION/JSON; charset=utf-8"), "json");
  assert.equal(bodyFormat('application/json; a="b;\\"c"; d=e;'), "json");
  assert.equal(bodyFormat("application/yaml"), "yaml");
});

test("bodyFormat() answers 415 for other types and malformed parameters", () => {
  const list = "application/json, application/yaml, application/vnd.kubernetes.protobuf";
  const text = "the body of the request was in an unknown format - accepted media types include: ";
  const refuses = (contentType: string, message: string) =>
    assert.throws(
      () => bodyFormat(contentType),
      (error) => error instanceof StatusError && error.status.code === 415 && error.message === message,
    );
  for (const type of ["text/plain", "application/json; charset", "application/json;;", "application/json; a=b; A=c"]) {
    refuses(type, text + list);
  }
  refuses("application/vnd.kubernetes.protobuf", `${text}application/json, application/yaml`);
});

test("decodeObject() gives the value, and keys that came twice in the decoder's words", async () => {
  const body = '{"apiVersion":"g.io/v1","kind":"Gear","a":1,"a":2,"s\\"p":{"b":1,"b":1}}';
  const decoded = await decode(body);
  assert.equal(encodeJson(decoded.value), '{"a":2,"apiVersion":"g.io/v1","kind":"Gear","s\\"p":{"b":1}}');
  assert.deepEqual(decoded.strictErrors, ['duplicate field "a"', 'duplicate field "s\\"p.b"']);
  assert.equal(decoded.bytes, body.length);
});

test("decodeObject() leaves another kind to validation", async () => {
  assert.equal((await decode('{"apiVersion":"g.io/v1","kind":"Foo"}')).value["kind"], "Foo");
});

test("decodeObject() tells a body that is no object of any kind", async () => {
  const struct =
    'struct { APIVersion string "json:\\"apiVersion,omitempty\\""; Kind string "json:\\"kind,omitempty\\"" }';
  await refused("", `${unparsed}unexpected end of JSON input (<empty>)`);
  await refused("[]", `${unparsed}json: cannot unmarshal array into Go value of type ${struct} (5b5d)`);
  await refused("null", `${unrecognized}Object 'Kind' is missing in 'null' (6e756c6c)`);
  await refused(
    '{"kind":5}',
    `${unparsed}json: cannot unmarshal number into Go struct field .kind of type string ({"kind":5})`,
  );
  await refused(
    '{"KIND":[],"kind":"Gear"}',
    `${unparsed}json: cannot unmarshal array into Go struct field .kind of type string ({"KIND":[],"kind":"Gear"})`,
  );
  await refused(
    '{"apiVersion":"g.io/v1"}',
    `${unrecognized}Object 'Kind' is missing in '{"apiVersion":"g.io/v1"}' ({"apiVersion":"g.io/v1"})`,
  );
  await refused("[".repeat(10_001), `${unparsed}invalid character '[' exceeded max depth (${"5b".repeat(30)} ...)`);
  await refused(
    Buffer.from([0x7b, 0xff]),
    `${unparsed}invalid character 'ÿ' looking for beginning of object key string ({\ufffd)`,
  );
});

test("decodeObject() shows thirty bytes of a body that it doesn't recognize", async () => {
  const body = '{"kind":"12345678901234567890é0123';
  await refused(body, `${unparsed}unexpected end of JSON input ({"kind":"12345678901234567890\ufffd ...)`);
});

test("decodeObject() tells another version", async () => {
  const text = (found: string) =>
    `the API version in the data (${found}) does not match the expected API version (g.io/v1)`;
  await refused('{"kind":"Gear"}', text(""));
  await refused('{"kind":"Gear","apiVersion":"/v1"}', text("v1"));
  await refused('{"kind":"Gear","apiVersion":"g.io/v2"}', text("g.io/v2"));
  await refused(
    '{"kind":"Gear","apiVersion":"a/b/c"}',
    `${unrecognized}unexpected GroupVersion string: a/b/c ({"kind":"Gear","apiVersion":"a ...)`,
  );
});

test("decodeObject() tells a number that fits nothing once it knows what the body is", async () => {
  const number = "json: cannot unmarshal number 1e400 into Go value of type float64";
  await refused(
    '{"kind":"Foo","apiVersion":"h/v2","x":1e400}',
    `Foo in version "v2" cannot be handled as a Gear: ${number}`,
  );
  await refused('{"x":1e400}', `Gear in version "v1" cannot be handled as a Gear: ${number}`);
});

test("decodeObject() reads YAML", async () => {
  const decoded = await decode("kind: Gear\napiVersion: g.io/v1\nspec:\n  size: 1\n  size: 0777\nspec: yes\n", "yaml");
  assert.equal(encodeJson(decoded.value), '{"apiVersion":"g.io/v1","kind":"Gear","spec":true}');
  assert.deepEqual(decoded.strictErrors, [
    'yaml: unmarshal errors:\n  line 5: key "size" already set in map\n  line 6: key "spec" already set in map',
  ]);
  await refused("", `${unrecognized}Object 'Kind' is missing in '' (<empty>)`, "yaml");
  await refused(
    "a: b: c",
    `${unrecognized}yaml: mapping values are not allowed in this context (613a20623a2063)`,
    "yaml",
  );
  await refused(
    "[".repeat(10_001),
    `${unrecognized}yaml: exceeded max depth of 10000 (${"5b".repeat(30)} ...)`,
    "yaml",
  );
});

test("decodeObject() gives the event loop turns while it reads a large body", async () => {
  for (const format of ["json", "yaml"] as const) {
    const list = Array.from({ length: 60_000 }, (_, index) => `{"name": "n${index}"}`);
    const body = Buffer.from(`{"kind": "Gear", "apiVersion": "g.io/v1", "list": [${list.join(", ")}]}`);
    let turns = 0;
    let isDone = false;
    const count = () => {
      turns++;
      if (!isDone) setImmediate(count);
    };
    setImmediate(count);
    const decoded = await decode(body, format);
    isDone = true;
    assert.equal((decoded.value["list"] as unknown[]).length, 60_000);
    assert.ok(turns > 2, `${format}: ${turns} turns`);
  }
});

test("decodeLoosely() lets numbers pass that fit nothing", async () => {
  assert.deepEqual(
    await decodeLoosely(Buffer.from('{"a":1e999}'), "json").then(({ value }) => encodeJson(value)),
    '{"a":0}',
  );
});

test("decodeLoosely() and decodeJson() give bare values", async () => {
  assert.equal(await decodeLoosely(Buffer.from("- 1\n"), "yaml").then(({ value }) => encodeJson(value)), "[1]");
  assert.deepEqual((await decodeJson(Buffer.from('{"a":1,"a":2}'))).duplicates, ["a"]);
  await assert.rejects(decodeJson(Buffer.from("{")), /^JsonSyntaxError: unexpected end of JSON input$/);
});
