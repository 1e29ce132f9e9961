/** The seed's options, and its handler in somebody else's server. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { type AddressInfo, isIP } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { connect } from "node:tls";
import { createAuthority, issueServerCertificate } from "../../gateway/certificates/certificates.ts";
import { createGateway, type GatewayOptions, type HttpRequest } from "../../gateway/main.ts";
import { createMemoryStore } from "../../stores/memory/store.ts";
import { serveStore } from "../../stores/sdk/sdk.ts";
import { createServingFolder } from "../support/certificates.ts";
import { admin, ask, startSeed, testType, testTypes } from "./seed.testing.ts";

const silent = { info: () => {}, warn: () => {}, error: () => {} };
const enough: GatewayOptions = {
  stores: [],
  authenticator: () => admin,
  authorizer: () => ({ outcome: "allow", reason: "" }),
  listener: "none",
  log: silent,
};

for (const name of ["authenticator", "authorizer", "listener"] as const) {
  test(`createGateway() without ${name} says that it must be provided`, async () => {
    const { [name]: _, ...rest } = enough;
    await assert.rejects(createGateway(rest as GatewayOptions), { message: `${name} must be provided` });
  });
}

test("createGateway() names the first that is missing", async () => {
  await assert.rejects(createGateway({ stores: [], log: silent } as never), {
    message: "authenticator must be provided",
  });
});

test("no store at all: it starts, and discovery is empty", async (t) => {
  const { ask } = await startSeed(t, { stores: [] });
  const { status, body } = await ask("/apis");
  assert.deepEqual([status, body], [200, { kind: "APIGroupList", groups: [] }]);
});

/** A gateway of one store that isn't there yet, mounted in a server. */
async function startEarly(t: TestContext) {
  const folder = mkdtempSync(join(tmpdir(), "annex-early-"));
  const address = `unix:${join(folder, "store.sock")}`;
  const gateway = await createGateway({ ...enough, stores: [{ name: "late", address }] });
  const server = createServer(gateway.handler()).listen(0, "127.0.0.1");
  t.after(async () => {
    server.close();
    await gateway.drain();
    rmSync(folder, { recursive: true, force: true });
  });
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  return { gateway, address, ask: async (path: string) => await ask(port, path) };
}

test("until its store has said what it serves a gateway isn't ready, and calls nothing unknown", async (t) => {
  const { gateway, address, ask } = await startEarly(t);
  const path = "/apis/ext.cattle.io/v1/testtypes";
  assert.equal((await ask("/readyz")).status, 500);
  assert.equal((await ask("/readyz/stores-described")).status, 500);
  assert.equal((await ask("/livez")).status, 200);
  for (const about of [path, "/apis/ext.cattle.io/v1", "/unknown"]) {
    const { status, headers, body } = await ask(about);
    assert.deepEqual([status, headers["retry-after"], body.reason], [503, "5", "ServiceUnavailable"], about);
  }
  const served = await serveStore(createMemoryStore([testTypes()]), { listen: address, log: () => {} });
  t.after(() => served.stop());
  await gateway.ready;
  const now = await Promise.all(["/readyz", path, "/unknown"].map(ask));
  assert.deepEqual(
    now.map(({ status }) => status),
    [200, 200, 404],
  );
});

test("a store that says nothing for ten seconds keeps no gateway from being ready", async (t) => {
  const { gateway, ask } = await startEarly(t);
  const since = performance.now();
  await gateway.ready;
  assert.ok(performance.now() - since > 9_000);
  assert.deepEqual([(await ask("/readyz")).status, (await ask("/unknown")).status], [200, 404]);
});

test("mounted at /ext the prefix is taken off; outside of it nothing is found", async (t) => {
  const { gateway } = await startSeed(t);
  const server = createServer(gateway.handler("/ext")).listen(0, "127.0.0.1");
  t.after(() => server.close());
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const created = await ask(port, "/ext/apis/ext.cattle.io/v1/testtypes", { method: "POST", body: testType("foo") });
  assert.equal(created.status, 201);
  assert.equal((await ask(port, "/ext/apis/ext.cattle.io/v1/testtypes/foo?pretty=1")).body.metadata.name, "foo");
  assert.deepEqual((await ask(port, "/ext")).body.paths.includes("/apis/ext.cattle.io/v1"), true);
  for (const path of ["/apis", "/extra/apis", "/"]) {
    const { status, text } = await ask(port, path);
    assert.deepEqual([status, text], [404, "404 page not found\n"], path);
  }
});

test("a watch through a mounted handler streams, and ends when the gateway drains", async (t) => {
  const { ask, gateway, port } = await startSeed(t);
  const watching = fetch(`http://127.0.0.1:${port}/apis/ext.cattle.io/v1/testtypes?watch=1`);
  const { body, status } = await watching;
  assert.equal(status, 200);
  const reader = (body as ReadableStream<Uint8Array>).getReader();
  assert.equal((await ask("/apis/ext.cattle.io/v1/testtypes", { method: "POST", body: testType("foo") })).status, 201);
  const { value } = await reader.read();
  assert.equal(JSON.parse(Buffer.from(value ?? []).toString()).object.metadata.name, "foo");
  await gateway.drain();
  while (!(await reader.read()).done);
});

test("it listens by itself too, over TLS, with an authentication that brings its own CAs", async (t) => {
  const { certFile, keyFile, authority } = await createServingFolder(t);
  const whole = {
    authenticate: async (request: HttpRequest) => ({ user: admin, warnings: [], request }),
    clientCas: () => authority.cert,
    onClientCas: () => {},
    close: () => {},
  };
  const listener = { host: "127.0.0.1", port: 0, certFile, keyFile };
  const { gateway } = await startSeed(t, { listener, authenticator: whole });
  assert.match(gateway.url, /^https:\/\/127\.0\.0\.1:\d+$/);
  const socket = connect({ host: "127.0.0.1", port: Number(new URL(gateway.url).port), ca: authority.cert });
  await once(socket, "secureConnect");
  socket.destroy();
});

test("SNI certificates: exact before wildcard, given names before the certificate's, else the default", async (t) => {
  const { certFile, keyFile, authority } = await createServingFolder(t);
  const folder = mkdtempSync(join(tmpdir(), "annex-sni-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const pair = async (name: string, names: readonly string[]) => {
    const issued = await issueServerCertificate(authority, { names, ips: [] });
    const [certFile, keyFile] = [join(folder, `${name}.crt`), join(folder, `${name}.key`)];
    writeFileSync(certFile, issued.cert);
    writeFileSync(keyFile, issued.key, { mode: 0o600 });
    return { certFile, keyFile };
  };
  const sni = [
    await pair("wild", ["*.example.com"]),
    await pair("exact", ["api.example.com"]),
    { ...(await pair("given", ["other.example.org"])), names: ["api.example.net", "exact.example.com"] },
    await pair("late", ["exact.example.com"]),
  ];
  const { gateway } = await startSeed(t, { listener: { host: "127.0.0.1", port: 0, certFile, keyFile, sni } });
  const port = Number(new URL(gateway.url).port);
  const shown = async (servername: string) => {
    const options = { host: "127.0.0.1", port, ca: authority.cert, checkServerIdentity: () => undefined };
    const socket = connect(isIP(servername) ? options : { ...options, servername });
    await once(socket, "secureConnect");
    const { subjectaltname = "" } = socket.getPeerCertificate();
    socket.destroy();
    return subjectaltname;
  };
  assert.equal(await shown("api.example.com"), "DNS:api.example.com");
  assert.equal(await shown("API.example.com"), "DNS:api.example.com");
  assert.equal(await shown("b.example.com"), "DNS:*.example.com");
  assert.equal(await shown("exact.example.com"), "DNS:other.example.org");
  assert.equal(await shown("api.example.net"), "DNS:other.example.org");
  for (const other of ["a.b.example.com", "other.example.org", "unknown.dev", "127.0.0.1"]) {
    assert.match(await shown(other), /^DNS:localhost, /, other);
  }
});

test("an SNI certificate whose key doesn't fit is refused, and nothing goes on listening", async (t) => {
  const { certFile, keyFile, folder } = await createServingFolder(t);
  const { cert } = await createAuthority("other");
  writeFileSync(join(folder, "bad.crt"), cert);
  const listener = {
    host: "127.0.0.1",
    port: 0,
    certFile,
    keyFile,
    sni: [{ certFile: join(folder, "bad.crt"), keyFile }],
  };
  await assert.rejects(createGateway({ ...enough, listener }), /is not that of the certificate in .*bad\.crt$/);
});

test("OpenAPI definition names are replaced in names and in references, in both documents", async (t) => {
  const openApiNames = { "io.cattle.ext": "com.example.renamed", "io.k8s.apimachinery.pkg.apis.meta": "meta" };
  const { ask } = await startSeed(t, { openApiNames });
  for (const path of ["/openapi/v2", "/openapi/v3/apis/ext.cattle.io/v1"]) {
    const { status, body, text } = await ask(path);
    assert.equal(status, 200);
    const names = Object.keys(body.definitions ?? body.components.schemas);
    assert.ok(names.includes("com.example.renamed.v1.TestType"), path);
    assert.ok(names.includes("meta.v1.ObjectMeta"));
    assert.deepEqual(
      names.filter((name) => name.startsWith("io.cattle") || name.startsWith("io.k8s.apimachinery")),
      [],
    );
    const refs = [...text.matchAll(/"\$ref":"[^"]*\/([^"/]+)"/g)].map(([, name]) => name ?? "");
    assert.ok(refs.includes("com.example.renamed.v1.TestType"));
    assert.deepEqual(
      refs.filter((name) => !names.includes(name)),
      [],
    );
  }
});

test("the effective version is what /version says; another text is refused", async (t) => {
  const { ask } = await startSeed(t, { effectiveVersion: "1.33" });
  const { body } = await ask("/version");
  assert.deepEqual([body.major, body.minor, body.gitVersion.startsWith("v1.33.0+annex-")], ["1", "33", true]);
  await assert.rejects(createGateway({ ...enough, effectiveVersion: "new" }), /is not major\.minor/);
});

test("registration is a detail of readiness and a metric, and nothing waits for it", async (t) => {
  const { ask } = await startSeed(t, {
    authenticator: (request) => ({ ...admin, name: request.header("x-test-user") ?? "somebody" }),
  });
  const detail = "/readyz/registered";
  const metrics = async () => {
    const { text } = await ask("/metrics");
    return [/^annex_registered .*$/m, /^annex_store_registered.*$/m].map((line) => line.exec(text)?.[0]);
  };
  const store = 'annex_store_registered{group="ext.cattle.io",store="store-0",version="v1"}';
  const asAggregator = { headers: { "x-test-user": "system:kube-aggregator" } };
  assert.deepEqual([(await ask("/readyz")).status, (await ask(detail)).status], [200, 500]);
  assert.deepEqual(await metrics(), ["annex_registered 0", `${store} 0`]);
  await ask("/apis", asAggregator);
  assert.deepEqual([(await ask("/readyz")).status, (await ask(detail)).status], [200, 200]);
  assert.deepEqual(await metrics(), ["annex_registered 1", `${store} 0`]);
  await ask("/apis/ext.cattle.io/v1", asAggregator);
  assert.deepEqual(await metrics(), ["annex_registered 1", `${store} 1`]);
});

test("registered resolves with the first request of kube-apiserver's own users, whatever becomes of it", async (t) => {
  const name = (header: string | undefined) => header ?? "somebody";
  const { ask, gateway, logged } = await startSeed(t, {
    authenticator: (request) => ({ ...admin, name: name(request.header("x-test-user")) }),
    authorizer: () => ({ outcome: "deny", reason: "" }),
  });
  let isRegistered = false;
  void gateway.registered.then(() => {
    isRegistered = true;
  });
  const ask403 = async (user: string) =>
    assert.equal((await ask("/apis", { headers: { "x-test-user": user } })).status, 403);
  await ask403("my-user");
  assert.equal(isRegistered, false);
  await ask403("system:aggregator");
  await gateway.registered;
  assert.equal(isRegistered, true);
  await ask403("system:kube-aggregator");
  const told = logged.filter(({ text }) => text === "kube-apiserver's aggregation layer has found this gateway");
  assert.deepEqual(
    told.map(({ fields }) => fields),
    [{ user: "system:aggregator" }],
  );
});
