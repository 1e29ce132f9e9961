import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  dns1035LabelErrors,
  dns1123LabelErrors,
  dns1123SubdomainErrors,
  labelValueErrors,
  nameIsDnsLabel,
  nameIsDnsSubdomain,
  nameIsPathSegment,
  qualifiedNameErrors,
} from "./names.ts";

const subdomainText =
  "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";
const labelText =
  "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')";
const keyText =
  "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')";

test("dns1123SubdomainErrors() takes what the pattern takes, with Kubernetes' text", () => {
  for (const name of ["a", "0", "a-b.c-d", "a.b.c", "x".repeat(253)])
    assert.deepEqual(dns1123SubdomainErrors(name), []);
  for (const name of ["", "A", "a..b", ".a", "a.", "-a", "a-", "a.-b", "a_b", "é"]) {
    assert.deepEqual(dns1123SubdomainErrors(name), [subdomainText], name);
  }
  assert.deepEqual(dns1123SubdomainErrors("x".repeat(254)), ["must be no more than 253 characters"]);
  assert.deepEqual(dns1123SubdomainErrors("é".repeat(127)), ["must be no more than 253 characters", subdomainText]);
});

test("dns1123LabelErrors() tells dots from other faults", () => {
  assert.deepEqual(dns1123LabelErrors("kube-system"), []);
  assert.deepEqual(dns1123LabelErrors("a.b"), ["must not contain dots"]);
  assert.deepEqual(dns1123LabelErrors("a_b"), [labelText]);
  assert.deepEqual(dns1123LabelErrors("x".repeat(64)), ["must be no more than 63 characters"]);
});

test("dns1035LabelErrors() wants a letter first", () => {
  assert.deepEqual(dns1035LabelErrors("abc-1"), []);
  assert.deepEqual(dns1035LabelErrors("1a"), [
    "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')",
  ]);
});

test("qualifiedNameErrors() gives Kubernetes' complaints about each part", () => {
  for (const name of ["simple", "now-with-dashes/simple", "1.2.3.4/5678", "example.com/Upper_Is.OK", "a".repeat(63)]) {
    assert.deepEqual(qualifiedNameErrors(name), [], name);
  }
  assert.deepEqual(qualifiedNameErrors("a/b/c"), [
    `a valid label key ${keyText} with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')`,
  ]);
  assert.deepEqual(qualifiedNameErrors("/simple"), ["prefix part must be non-empty"]);
  assert.deepEqual(qualifiedNameErrors("example.com/"), ["name part must be non-empty", `name part ${keyText}`]);
  assert.deepEqual(qualifiedNameErrors("Example.com/abc"), [`prefix part ${subdomainText}`]);
  assert.deepEqual(qualifiedNameErrors("a".repeat(64)), ["name part must be no more than 63 bytes"]);
  assert.deepEqual(qualifiedNameErrors(`${"a".repeat(254)}/a`), ["prefix part must be no more than 253 bytes"]);
  assert.deepEqual(qualifiedNameErrors("-a"), [`name part ${keyText}`]);
});

test("labelValueErrors() takes the empty value and refuses marks at the ends", () => {
  assert.deepEqual(labelValueErrors(""), []);
  assert.deepEqual(labelValueErrors("a_b.c-d"), []);
  assert.deepEqual(labelValueErrors("a".repeat(64)), ["must be no more than 63 bytes"]);
  assert.deepEqual(labelValueErrors("a b"), [
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')",
  ]);
});

test("name rules let a generateName end in a dash", () => {
  assert.deepEqual(nameIsDnsSubdomain("my-", true), []);
  assert.deepEqual(nameIsDnsSubdomain("my-", false), [subdomainText]);
  assert.deepEqual(nameIsDnsLabel("my-", true), []);
  assert.deepEqual(nameIsDnsSubdomain("-", true), [subdomainText]);
});

test("nameIsPathSegment() refuses what would break a path", () => {
  assert.deepEqual(nameIsPathSegment(".", false), ["may not be '.'"]);
  assert.deepEqual(nameIsPathSegment("..", false), ["may not be '..'"]);
  assert.deepEqual(nameIsPathSegment("..", true), []);
  assert.deepEqual(nameIsPathSegment("a/%", false), ["may not contain '/'", "may not contain '%'"]);
});

test("scans agree with the patterns that the messages show", () => {
  const chars = fc.string({ unit: fc.constantFrom("a", "Z", "0", "-", ".", "_", "/", "é"), maxLength: 12 });
  const subdomain = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;
  const label = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/;
  const value = /^(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?$/;
  fc.assert(
    fc.property(chars, (text) => {
      assert.equal(dns1123SubdomainErrors(text).length === 0, subdomain.test(text));
      assert.equal(dns1123LabelErrors(text).length === 0, label.test(text));
      assert.equal(labelValueErrors(text).length === 0, value.test(text));
    }),
    { numRuns: 2000 },
  );
});
