import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { ConfigError, type ConfiguredStore, loadGatewayConfig, parseGatewayConfig, watchConfig } from "./config.ts";

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

test("parseGatewayConfig() fills in defaults, makes paths absolute and freezes", () => {
  const config = parseGatewayConfig(`${minimal}stores:\n- {name: a, address: "unix:a.sock"}\n`, "/etc/annex.yaml");
  assert.deepEqual(config, {
    listen: { host: "0.0.0.0", port: 8443, http2: false, certFile: "/etc/tls.crt", keyFile: "/abs/tls.key", sni: [] },
    authentication: {
      clientCaFile: undefined,
      tokenFile: undefined,
      requestHeader: undefined,
      cluster: undefined,
      jwt: [],
      webhook: undefined,
      anonymous: false,
    },
    authorization: {
      alwaysAllowPaths: ["/healthz", "/livez", "/readyz"],
      rbacFiles: [],
      cluster: "none",
      webhook: undefined,
    },
    admission: { namespaceLifecycle: false },
    hostService: undefined,
    cluster: undefined,
    flowControl: { maxReadOnlyInFlight: 400, maxMutatingInFlight: 200 },
    cache: { maxCopyBytes: 2 ** 30, maxHistoryBytes: 2 ** 26, maxTotalBytes: 3 * 2 ** 30 },
    stores: [{ name: "a", addresses: ["unix:/etc/a.sock"], protocol: "grpc", quarantine: false, tls: undefined }],
    descriptions: undefined,
    workers: 1,
    shutdown: { delaySeconds: 0, deadlineSeconds: 60 },
    log: { level: "info" },
  });
  assert.ok(Object.isFrozen(config.listen));
  assert.ok(Object.isFrozen(config.stores[0]));
});

test("parseGatewayConfig() takes limits of the cache, in bytes", () => {
  const parse = (cache: string) => parseGatewayConfig(`${minimal}cache: ${cache}\n`, "/etc/annex.yaml").cache;
  const given = parse("{ maxCopyBytes: 1000, maxHistoryBytes: 0 }");
  assert.deepEqual(given, { maxCopyBytes: 1000, maxHistoryBytes: 0, maxTotalBytes: 3 * 2 ** 30 });
  assert.throws(() => parse("{ maxTotalBytes: -1 }"), /cache\.maxTotalBytes: /);
  assert.throws(() => parse("{ maxCopyBytes: 1Gi }"), /cache\.maxCopyBytes: expected number, received string/);
});

test("parseGatewayConfig() takes as many workers as there can be", () => {
  assert.equal(parseGatewayConfig(`${minimal}workers: 2\n`, "/etc/annex.yaml").workers, 2);
  for (const workers of ["0", "65", "1.5"])
    assert.throws(() => parseGatewayConfig(`${minimal}workers: ${workers}\n`, "/etc/annex.yaml"), /:6: workers: /);
});

test("parseGatewayConfig() names file, line and field of each fault, in order of lines", () => {
  refuses(
    `${minimal.replace("keyFile", "kyeFile")}flowControl:\n  maxReadOnlyInFlight: many\nlog:\n  level: loud\n`,
    "/etc/annex.yaml:3: listen.keyFile: must be given",
    "/etc/annex.yaml:5: listen.kyeFile: is no field of this document",
    "/etc/annex.yaml:7: flowControl.maxReadOnlyInFlight: expected number, received string",
    '/etc/annex.yaml:9: log.level: Invalid option: expected one of "fatal"|"error"|"warn"|"info"|"debug"|"trace"',
  );
  refuses(
    `${minimal}stores:\n- name: a\n  address: nowhere\n- name: a\n  address: h:1\n  tls:\n    caFile: a\n`,
    "/etc/annex.yaml:8: stores[0].address: must be unix:PATH or HOST:PORT",
    "/etc/annex.yaml:11: stores[1].tls.certFile: must be given",
    "/etc/annex.yaml:11: stores[1].tls.keyFile: must be given",
  );
  refuses(
    `${minimal}admission:\n  namespaceLifecycle: true\n`,
    "/etc/annex.yaml:7: admission.namespaceLifecycle: needs the section cluster, which says how the host cluster is reached",
  );
  refuses(
    `${minimal}authorization:\n  cluster: review\n`,
    "/etc/annex.yaml:7: authorization.cluster: needs the section cluster, which says how the host cluster is reached",
  );
  refuses(
    `${minimal}stores:\n- {name: a, address: "h:1"}\n- {name: a, address: "h:2"}\n`,
    "/etc/annex.yaml:6: stores: names must differ",
  );
});

test("parseGatewayConfig() believes no header without an authority and a word about names", () => {
  const withHeaders = (text: string) => `${minimal}authentication:\n  requestHeader:\n${text}`;
  const parsed = parseGatewayConfig(
    withHeaders("    clientCAFile: proxy.crt\n    allowedNames: [a]\n"),
    "/etc/annex.yaml",
  );
  assert.deepEqual(parsed.authentication.requestHeader, {
    clientCaFile: "/etc/proxy.crt",
    allowedNames: ["a"],
    usernameHeaders: ["X-Remote-User"],
    uidHeaders: [],
    groupHeaders: ["X-Remote-Group"],
    extraHeaderPrefixes: ["X-Remote-Extra-"],
  });
  refuses(
    withHeaders("    usernameHeaders: []\n    groupHeaders: [a b]\n"),
    "/etc/annex.yaml:7: authentication.requestHeader.clientCAFile: must be given",
    "/etc/annex.yaml:7: authentication.requestHeader.allowedNames: must be given",
    "/etc/annex.yaml:8: authentication.requestHeader.usernameHeaders: Too small: expected array to have >=1 items",
    "/etc/annex.yaml:9: authentication.requestHeader.groupHeaders[0]: must be a header's name",
  );
});

test("parseGatewayConfig() asks the host cluster about users only if it says how it is reached", () => {
  const asking = `${minimal}authentication:\n  cluster: {}\n  webhook: {kubeconfigFile: reviewer}\n`;
  const why = "needs the section cluster, which says how the host cluster is reached";
  refuses(asking, `/etc/annex.yaml:7: authentication.cluster: ${why}`);
  const { authentication } = parseGatewayConfig(`${asking}cluster: {}\n`, "/etc/annex.yaml");
  assert.deepEqual(authentication.cluster, { certificates: true, tokens: true, audiences: [] });
  assert.deepEqual(authentication.webhook, { kubeconfigFile: "/etc/reviewer", audiences: [], cacheSeconds: 10 });
});

test("parseGatewayConfig() takes issuers of tokens, with all that tells their users from others", () => {
  const withIssuers = (...issuers: object[]) => `${minimal}authentication: ${JSON.stringify({ jwt: issuers })}\n`;
  const issuer = { url: "https://a.example", audiences: ["annex"], certificateAuthorityFile: "ca.crt" };
  const claimMappings = { username: { claim: "sub", prefix: "a:" }, groups: { claim: "roles", prefix: "" } };
  const { authentication } = parseGatewayConfig(withIssuers({ issuer, claimMappings }), "/etc/annex.yaml");
  assert.deepEqual(authentication.jwt, [
    {
      url: "https://a.example",
      discoveryUrl: undefined,
      certificateAuthorityFile: "/etc/ca.crt",
      audiences: ["annex"],
      claims: { ...claimMappings, uid: undefined, required: [] },
    },
  ]);
  const place = "/etc/annex.yaml:6: authentication.jwt";
  refuses(withIssuers({ issuer, claimMappings }, { issuer, claimMappings }), `${place}: issuers must differ`);
  const url = "must be an https:// URL without user, query or fragment";
  for (const wrong of ["http://a", "https://u@a", "https://a?b", "a"]) {
    refuses(withIssuers({ issuer: { ...issuer, url: wrong }, claimMappings }), `${place}[0].issuer.url: ${url}`);
  }
  refuses(
    withIssuers({ issuer: { ...issuer, audiences: ["a", "b"] }, claimMappings }),
    `${place}[0].issuer.audienceMatchPolicy: must be MatchAny for multiple audiences`,
  );
  refuses(
    withIssuers({ issuer, claimMappings: { username: { claim: "sub", expression: "claims.sub" } } }),
    `${place}[0].claimMappings.username.prefix: must be given`,
    `${place}[0].claimMappings.username.expression: is no field of this document`,
  );
});

test("parseGatewayConfig() refuses addresses that nothing can listen on", () => {
  for (const address of ["unix:", "h:0", "h:65536", "h", ":1", "::1:1", "[::1]"]) {
    const text = `${minimal}stores:\n- {name: a, address: "${address}"}\n`;
    refuses(text, "/etc/annex.yaml:7: stores[0].address: must be unix:PATH or HOST:PORT");
  }
  for (const address of ["h:1", "h.example:65535", "[::1]:1"]) {
    const text = `${minimal}stores:\n- {name: a, address: "${address}"}\n`;
    assert.deepEqual(parseGatewayConfig(text, "/etc/annex.yaml").stores[0]?.addresses, [address]);
  }
});

test("parseGatewayConfig() takes an address or the addresses of replicas, and not both", () => {
  const stores = (fields: string) => `${minimal}stores:\n- {name: a, ${fields}}\n`;
  const parsed = parseGatewayConfig(stores('addresses: ["unix:a.sock", "h:1"]'), "/etc/annex.yaml");
  assert.deepEqual(parsed.stores[0]?.addresses, ["unix:/etc/a.sock", "h:1"]);
  for (const fields of ["protocol: grpc", 'address: "h:1", addresses: ["h:2"]'])
    refuses(stores(fields), "/etc/annex.yaml:7: stores[0].address: must be given, or else addresses");
  refuses(stores('addresses: ["h:1", "h:1"]'), "/etc/annex.yaml:7: stores[0].addresses: must differ");
  refuses(
    stores('addresses: ["h:1", "h"]'),
    "/etc/annex.yaml:7: stores[0].addresses[1]: must be unix:PATH or HOST:PORT",
  );
});

test("parseGatewayConfig() refuses aliases that lead nowhere or unfold without bounds", () => {
  refuses(`${minimal}log: *nowhere\n`, "/etc/annex.yaml:6: nothing is named &nowhere");
  const bomb = Array.from({ length: 12 }, (_, i) => `b${i}: &b${i} [${Array(9).fill(i === 0 ? "x" : `*b${i - 1}`)}]\n`);
  refuses(`${minimal}${bomb.join("")}`, "/etc/annex.yaml:1: its aliases make too large a document");
});

test("parseGatewayConfig() refuses another document than its own", () => {
  refuses(
    "apiVersion: v1\n",
    '/etc/annex.yaml:1: apiVersion: must be "gateway.annex.dev/v1alpha1"',
    '/etc/annex.yaml:1: kind: must be "GatewayConfiguration"',
    "/etc/annex.yaml:1: listen: must be given",
  );
  refuses("[]", "/etc/annex.yaml:1: expected object, received array");
  refuses(`${minimal}---\na: 1\n`, "/etc/annex.yaml:6: a second document begins here; one is read");
  refuses(`${minimal}kind: Again\n`, "/etc/annex.yaml:6: Map keys must be unique");
});

test("loadGatewayConfig() names a file that can't be read", () => {
  assert.throws(() => loadGatewayConfig("/nowhere/annex.yaml"), {
    name: "ConfigError",
    message: "/nowhere/annex.yaml: can't be read: ENOENT: no such file or directory, open '/nowhere/annex.yaml'",
  });
});

test("watchConfig() takes the stores of a swapped link and keeps them over a file that is broken", (t) => {
  t.mock.timers.enable({ apis: ["setTimeout", "setInterval"] });
  const folder = mkdtempSync(join(tmpdir(), "annex-config-"));
  t.after(() => rmSync(folder, { recursive: true }));
  // As the kubelet mounts a ConfigMap: annex.yaml -> ..data/annex.yaml, ..data -> a folder a version.
  const publish = (version: string, text: string) => {
    mkdirSync(join(folder, version));
    writeFileSync(join(folder, version, "annex.yaml"), text);
    symlinkSync(version, join(folder, "..next"));
    renameSync(join(folder, "..next"), join(folder, "..data"));
  };
  const path = join(folder, "annex.yaml");
  publish("v1", minimal);
  symlinkSync("..data/annex.yaml", path);

  const taken: (readonly ConfiguredStore[])[] = [];
  const warnings: object[] = [];
  let tell = () => {};
  let isClosed = false;
  const stop = watchConfig(path, {
    stores: [],
    onStores: (stores) => taken.push(stores),
    log: { info: () => {}, warn: (fields) => warnings.push(fields) },
    watchFolder: (watched, onChange) => {
      assert.equal(watched, folder);
      tell = onChange;
      return { close: () => (isClosed = true) };
    },
  });

  publish("v2", `${minimal}stores:\n- {name: a, address: "h:1"}\n`);
  tell();
  tell();
  t.mock.timers.tick(100);
  assert.deepEqual(
    taken.map((stores) => stores.map((store) => store.name)),
    [["a"]],
  );

  publish("v3", `${minimal}stores: 5\n`);
  t.mock.timers.tick(30_000);
  t.mock.timers.tick(30_000);
  assert.deepEqual(warnings, [{ faults: [`${path}:6: stores: expected array, received number`] }]);
  assert.equal(taken.length, 1);

  publish("v4", minimal);
  t.mock.timers.tick(30_000);
  assert.deepEqual(taken[1], []);
  stop();
  assert.ok(isClosed);
});
