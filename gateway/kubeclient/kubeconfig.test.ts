import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { inClusterEndpoint } from "./in-cluster.ts";
import { loadKubeconfig } from "./kubeconfig.ts";

const folder = mkdtempSync(join(tmpdir(), "annex-kubeconfig-"));
after(() => rmSync(folder, { recursive: true }));
const path = join(folder, "config");
const pem = "-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n";
const data = Buffer.from(pem).toString("base64");

function load({ cluster = {}, user = {}, more = {} }: { cluster?: object; user?: object; more?: object } = {}) {
  const config = {
    apiVersion: "v1",
    kind: "Config",
    clusters: [{ name: "c", cluster: { server: "https://host:6443/k8s/c-1", ...cluster } }],
    users: [{ name: "u", user }],
    contexts: [
      { name: "other", context: { cluster: "none", user: "none" } },
      { name: "x", context: { cluster: "c", user: "u" } },
    ],
    "current-context": "x",
    ...more,
  };
  writeFileSync(path, JSON.stringify(config));
  return loadKubeconfig(path);
}

test("loadKubeconfig() takes the current context, data before files, files from its own folder", () => {
  writeFileSync(join(folder, "tls.crt"), pem);
  writeFileSync(join(folder, "token"), "t\n");
  assert.deepEqual(
    load({
      cluster: { "certificate-authority-data": data, "certificate-authority": "none", "tls-server-name": "kube" },
      user: { "client-certificate": "tls.crt", "client-key-data": data, token: "old", tokenFile: "token" },
    }),
    {
      server: new URL("https://host:6443/k8s/c-1"),
      serverName: "kube",
      ca: { text: pem },
      skipVerify: false,
      clientCertificate: { file: join(folder, "tls.crt") },
      clientKey: { text: pem },
      token: { file: join(folder, "token") },
    },
  );
  assert.deepEqual(load({ user: { token: "t" } }).token, { text: "t" });
  assert.equal(load({ cluster: { "insecure-skip-tls-verify": true } }).skipVerify, true);
});

test("loadKubeconfig() says what it can't use, and never ignores what would change who we are", () => {
  const refuses = (what: Parameters<typeof load>[0], why: string | RegExp) =>
    assert.throws(() => load(what), { name: "KubeconfigError", message: why });
  const instead = "is not supported; use a client certificate or a token";
  refuses({ user: { exec: { command: "aws" } } }, `${path}: exec: ${instead}`);
  refuses({ user: { as: "admin" } }, `${path}: as: ${instead}`);
  refuses({ cluster: { "proxy-url": "http://p" } }, `${path}: proxy-url: ${instead}`);
  refuses({ cluster: { server: "http://host" } }, `${path}: server: "http://host" must begin with https://`);
  refuses({ cluster: { server: "host" } }, `${path}: server: "host" is no URL`);
  refuses({ more: { "current-context": "y" } }, `${path}: there is no context "y"`);
  refuses({ more: { "current-context": "other" } }, `${path}: there is no cluster "none"`);
  refuses({ more: { "current-context": undefined } }, `${path}: current-context: must be given`);
  refuses({ more: { users: [{ name: "u", user: { token: 5 } }] } }, /: users\.0\.user\.token: .*expected string/);
  refuses({ user: { "client-key-data": data } }, `${path}: client-certificate and client-key must be given together`);
  refuses(
    { cluster: { "certificate-authority-data": "bm90" } },
    `${path}: certificate-authority-data: is no base64 of a PEM block`,
  );
  refuses({ user: { tokenFile: "none" } }, /^\S+: ENOENT: .*\/none'$/);
  writeFileSync(path, "a: [");
  assert.throws(() => loadKubeconfig(path), { name: "KubeconfigError", message: /: can't be read: / });
});

test("inClusterEndpoint() takes what the kubelet mounts, and knows when there is no cluster", () => {
  for (const file of ["ca.crt", "token"]) writeFileSync(join(folder, file), pem);
  const env = { KUBERNETES_SERVICE_HOST: "fd00::1", KUBERNETES_SERVICE_PORT: "443" };
  const endpoint = inClusterEndpoint(env, folder);
  assert.equal(endpoint.server.href, "https://[fd00::1]/");
  assert.deepEqual([endpoint.ca, endpoint.token], [{ file: `${folder}/ca.crt` }, { file: `${folder}/token` }]);
  assert.throws(() => inClusterEndpoint({}, folder), /^Error: not in a cluster: /);
  assert.throws(() => inClusterEndpoint(env, join(folder, "none")), { code: "ENOENT" });
});
