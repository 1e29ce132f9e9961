import assert from "node:assert/strict";
import { test } from "node:test";
import { ConfigError, parseGatewayConfig } from "./config.ts";

const minimal = `apiVersion: gateway.annex.dev/v1alpha1
kind: GatewayConfiguration
listen:
  certFile: tls.crt
  keyFile: /abs/tls.key
`;

function refuses(text: string, ...faults: string[]): void {
  assert.throws(
    () => parseGatewayConfig(text, "/etc/annex.yaml"),
    (error) => {
      assert.ok(error instanceof ConfigError);
      assert.deepEqual(error.message.split("\n"), faults);
      return true;
    },
  );
}

test("parseGatewayConfig() fills in defaults and makes paths absolute", () => {
  const config = parseGatewayConfig(`${minimal}stores:\n- {name: a, address: "unix:a.sock"}\n`, "/etc/annex.yaml");
  assert.equal(config.listen.certFile, "/etc/tls.crt");
  assert.equal(config.listen.keyFile, "/abs/tls.key");
  assert.equal(config.listen.http2, false);
  assert.equal(config.authentication.anonymous, false);
  assert.deepEqual(config.stores, [{ name: "a", address: "unix:/etc/a.sock", protocol: "grpc", tls: undefined }]);
  assert.ok(Object.isFrozen(config.listen));
});

test("parseGatewayConfig() names file, line and field of each fault", () => {
  refuses(
    `${minimal.replace("keyFile", "kyeFile")}flowControl:\n  maxReadOnlyInFlight: many\n`,
    "/etc/annex.yaml:4: listen.keyFile: Invalid input: expected string, received undefined",
    "/etc/annex.yaml:5: listen.kyeFile: is no field of this document",
    "/etc/annex.yaml:7: flowControl.maxReadOnlyInFlight: Invalid input: expected number, received string",
  );
  refuses(
    `${minimal}stores:\n- name: a\n  address: nowhere\n`,
    "/etc/annex.yaml:8: stores[0].address: must be unix:PATH or HOST:PORT",
  );
  refuses(`${minimal}  - x: [`, "/etc/annex.yaml:6: All mapping items must start at the same column");
});
