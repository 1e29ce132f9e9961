import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { StatusError } from "../apimachinery/status.ts";
import { formatContinueToken, parseContinueToken } from "./continue-token.ts";

const encode = (text: string) => Buffer.from(text).toString("base64url");

function refuses(token: string, why: string): void {
  assert.throws(
    () => parseContinueToken(token),
    (error) =>
      error instanceof StatusError &&
      error.status.code === 400 &&
      error.message === `invalid continue token: continue key is not valid: ${why}`,
  );
}

test("parseContinueToken() undoes formatContinueToken()", () => {
  fc.assert(
    fc.property(
      fc.bigInt({ min: 1n, max: 2n ** 63n - 1n }),
      fc.stringMatching(/^[a-z0-9-]{1,20}$/),
      fc.uint8Array({ maxLength: 20 }),
      (revision, after, storeToken) => {
        const parsed = parseContinueToken(formatContinueToken({ revision, after, storeToken }));
        assert.equal(parsed.revision, revision);
        assert.equal(parsed.after, after);
        assert.deepEqual(Buffer.from(parsed.storeToken), Buffer.from(storeToken));
      },
    ),
  );
});

test("formatContinueToken() has Kubernetes' form", () => {
  const token = formatContinueToken({ revision: 7n, after: "ns/a", storeToken: new Uint8Array() });
  assert.equal(Buffer.from(token, "base64url").toString(), '{"v":"meta.k8s.io/v1","rv":7,"start":"ns/a\\u0000"}');
});

test("parseContinueToken() refuses what is none, in kube-apiserver's words", () => {
  refuses(
    encode('{"v":"meta.k8s.io/v1","start":"a"}'),
    "incorrect encoded start resourceVersion (version meta.k8s.io/v1)",
  );
  refuses(
    encode('{"v":"meta.k8s.io/v1","rv":0,"start":"a"}'),
    "incorrect encoded start resourceVersion (version meta.k8s.io/v1)",
  );
  refuses(encode('{"v":"meta.k8s.io/v1","rv":1,"start":""}'), "encoded start key empty (version meta.k8s.io/v1)");
  refuses(encode('{"v":"other","rv":1,"start":"a"}'), "server does not recognize this encoded version other");
  refuses(encode('{"v":"meta.k8s.io/v1","rv":1,"start":"../a"}'), "../a");
  refuses(encode("[]"), "json: cannot unmarshal array into Go value of type storage.continueToken");
  refuses(
    encode('{"v":"meta.k8s.io/v1","rv":"1","start":"a"}'),
    "json: cannot unmarshal string into Go struct field continueToken.rv of type int64",
  );
  refuses(encode("no"), "invalid character 'o' in literal null (expecting 'u')");
  assert.throws(() => parseContinueToken("a!b"), /illegal base64 data at input byte 1/);
});

test("a token of the latest state has revision -1", () => {
  assert.equal(parseContinueToken(encode('{"v":"meta.k8s.io/v1","rv":-1,"start":"a\\u0000"}')).revision, -1n);
});
