import assert from "node:assert/strict";
import { test } from "node:test";
import { formatCheck, formatFor } from "./formats.ts";

/** What v1.36's kube-openapi takes and what it doesn't. */
const answers: Readonly<Record<string, { readonly yes: readonly string[]; readonly no: readonly string[] }>> = {
  bsonobjectid: { yes: ["507f1f77bcf86cd799439011"], no: ["507f1f77bcf86cd79943901", "x07f1f77bcf86cd799439011"] },
  uri: {
    yes: [
      "http://a.b/c?d#e",
      "/abs",
      "mailto:a@b",
      "http://[::1]:80/",
      "http://[fe80::1%25en0]/",
      "ftp://h:1:2/",
      "*",
      "/a b",
    ],
    no: ["", "a.b", "http://h:1:2/", "http://h%zz", "http://a b/", "http://[1.2.3.4]/", ":x", "http://a\u0001b"],
  },
  email: {
    yes: ["a@b", "Name <a@b>", '"q r"@x', "a@[1.2.3.4]", "g: a@b;", "a@b (comment)", "é@é"],
    no: ["", "a", ".a@b", "a..b@c", "a@b.", "g: a@b, c@d;", "a@b,", "<a@b"],
  },
  hostname: {
    yes: ["a.bc", "a-b.com", "localhost", "é.com"],
    no: ["-a", "a_b", "a..b", "a.1", `${"a".repeat(64)}.com`],
  },
  ipv4: { yes: ["1.2.3.4", "01.2.3.4", "::ffff:1.2.3.4"], no: ["256.1.1.1", "1.2.3", "::1"] },
  ipv6: {
    yes: ["::1", "1:2:3:4:5:6:7:8", "::ffff:1.2.3.4"],
    no: ["1.2.3.4", "fe80::1%eth0", "1::2::3", "::ffff:01.2.3.4"],
  },
  cidr: { yes: ["10.0.0.0/8", "010.0.0.0/08", "::/0"], no: ["1.2.3.4", "1.2.3.4/33", "::/129", "a/1"] },
  mac: {
    yes: ["00:11:22:33:44:55", "0011.2233.4455", "00-11-22-33-44-55-66-77"],
    no: ["00:11-22:33:44:55", "00:11:22"],
  },
  uuid: { yes: ["123e4567-e89b-12d3-a456-426614174000", "123E4567E89B12D3A456426614174000"], no: ["123e4567"] },
  uuid3: { yes: ["123e4567-e89b-32d3-a456-426614174000"], no: ["123e4567-e89b-42d3-a456-426614174000"] },
  uuid4: { yes: ["123e4567-e89b-42d3-a456-426614174000"], no: ["123e4567-e89b-42d3-c456-426614174000"] },
  uuid5: { yes: ["123e4567-e89b-52d3-a456-426614174000"], no: ["123e4567-e89b-42d3-a456-426614174000"] },
  isbn: { yes: ["0321751043", "978-0321751041"], no: ["0321751044"] },
  isbn10: { yes: ["3 401 01319 X"], no: ["978-0321751041"] },
  isbn13: { yes: ["978-0321751041"], no: ["978-0321751042"] },
  creditcard: { yes: ["4220 8554 2622 2389"], no: ["4220855426213389", ""] },
  ssn: { yes: ["123-45-6789", "123 45 6789"], no: ["123456789", "123-456789"] },
  hexcolor: { yes: ["#fff", "FFFFFF"], no: ["#ff"] },
  rgbcolor: { yes: ["rgb( 1 ,31,255)"], no: ["rgb(256,1,1)", "rgb(01,1,1)"] },
  byte: { yes: ["YQ==", "YWI=", "YWJj"], no: ["", "YWJ", "YQ==YQ==", "_-=="] },
  password: { yes: ["", "x"], no: [] },
  date: { yes: ["2020-02-29"], no: ["2021-02-29", "2020-1-1"] },
  "date-time": {
    yes: ["2020-01-01T00:00:00Z", "2020-01-01t00:00:00.5+01:00", "2020-01-01T00:00:00+99:99"],
    no: ["2020-01-01T00:00:00", "2020-01-01T24:00:00Z", "2020-01-01 00:00:00Z", "2020-02-30T00:00:00Z"],
  },
  duration: {
    yes: ["1h", "-1.5s", "0", "5 days", "xx 5 weeks yy", "3 µs"],
    no: ["", "5 foo", "5 mi", "1h 99999999999999999999s"],
  },
  "k8s-short-name": { yes: ["a-b"], no: ["A", "a.b", "", "a".repeat(64)] },
  "k8s-long-name": { yes: ["a.b"], no: ["A", "a..b", "a".repeat(254)] },
};

for (const [format, { yes, no }] of Object.entries(answers)) {
  test(`formatCheck() takes for ${format} what Kubernetes takes`, () => {
    const check = formatCheck(format);
    assert.ok(check !== undefined);
    for (const text of yes) assert.ok(check(text), `${JSON.stringify(text)} is one`);
    for (const text of no) assert.ok(!check(text), `${JSON.stringify(text)} is none`);
  });
}

test("formatCheck() needs no more than a few milliseconds for texts of megabytes", () => {
  const long = "a".repeat(2_000_000);
  for (const text of [long, `${long}=`, `${"1".repeat(2_000_000)} s`, "1.".repeat(1_000_000), `http://${long}@`]) {
    for (const format of Object.keys(answers)) {
      // Of this process alone: others may keep the machine busy.
      const before = process.cpuUsage();
      formatCheck(format)?.(text);
      const ms = process.cpuUsage(before).user / 1000;
      assert.ok(ms < 1000, `${format} took ${ms} ms`);
    }
  }
});

test("formatFor() keeps a format only where its type can have it", () => {
  assert.equal(formatFor("int32", ["integer"]), "int32");
  assert.equal(formatFor("double", ["number"]), "double");
  assert.equal(formatFor("int32", ["string"]), "");
  assert.equal(formatFor("date-time", ["string"]), "date-time");
  assert.equal(formatFor("ipv4", []), "ipv4");
  assert.equal(formatFor("ipv4", ["integer", "string"]), "ipv4");
  assert.equal(formatFor("ipv4", ["object"]), "");
  assert.equal(formatFor("no-such", ["string"]), "");
});
