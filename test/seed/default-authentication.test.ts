/** The seed's TestAuthenticationDefault and TestAuthenticationUnion, over mutual TLS. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { Agent, request } from "node:https";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { createAuthority, type Issued } from "../../gateway/certificates/certificates.ts";
import {
  type Authenticating,
  createAuthentication,
  type GatewayOptions,
  unionAuthenticator,
} from "../../gateway/main.ts";
import { createMemoryStore } from "../../stores/memory/store.ts";
import type { CallUser } from "../../stores/sdk/sdk.ts";
import { createServingFolder, issueClient } from "../support/certificates.ts";
import { admin, allPaths, startSeed, testType, testTypes } from "./seed.testing.ts";

const path = "/apis/ext.cattle.io/v1/testtypes";
const silent = { info: () => {}, warn: () => {}, error: () => {} };

/** A gateway that believes a front proxy, and says what user its store saw last. */
async function startTrusting(
  t: TestContext,
  authenticatorOf: (standard: Authenticating) => GatewayOptions["authenticator"] = (standard) => standard,
) {
  const files = await createServingFolder(t);
  const proxyCa = await createAuthority("front-proxy-ca");
  const clientCaFile = join(files.folder, "front-proxy-ca.crt");
  writeFileSync(clientCaFile, proxyCa.cert);
  const standard = createAuthentication({
    requestHeader: {
      clientCaFile,
      allowedNames: ["system:auth-proxy"],
      usernameHeaders: ["X-Remote-User"],
      uidHeaders: [],
      groupHeaders: ["X-Remote-Group"],
      extraHeaderPrefixes: ["X-Remote-Extra-"],
    },
    anonymous: false,
    clock: () => new Date(),
    log: silent,
  });
  const users: (CallUser | undefined)[] = [];
  const memory = createMemoryStore([testTypes()]);
  const store = {
    ...memory,
    get: async (call: Parameters<NonNullable<typeof memory.get>>[0]) => {
      users.push(call.user);
      return await memory.get?.(call);
    },
  };
  const { gateway } = await startSeed(t, {
    stores: [store],
    authenticator: authenticatorOf(standard),
    listener: { host: "127.0.0.1", port: 0, certFile: files.certFile, keyFile: files.keyFile },
  });
  const ask = async (
    about: string,
    { as, headers = {}, body }: { as?: Issued; headers?: Record<string, string>; body?: object },
  ) => {
    const agent = new Agent({ ca: files.authority.cert, ...as, keepAlive: false });
    const method = body === undefined ? "GET" : "POST";
    const sent = request(new URL(about, gateway.url), { agent, method, headers });
    sent.end(body === undefined ? undefined : JSON.stringify(body));
    const [response] = await once(sent, "response");
    response.resume();
    await once(response, "end");
    return response.statusCode as number;
  };
  return { ask, users, proxy: await issueClient(proxyCa, "system:auth-proxy"), proxyCa };
}

const headers = { "x-remote-user": "my-user", "x-remote-group": "my-group" };

test("authenticated request check user: name, groups with system:authenticated, no extra", async (t) => {
  const { ask, users, proxy } = await startTrusting(t);
  assert.equal(await ask(path, { as: proxy, headers, body: testType("foo") }), 201);
  assert.equal(await ask(`${path}/foo`, { as: proxy, headers }), 200);
  assert.deepEqual(users.at(-1), {
    name: "my-user",
    uid: "",
    groups: ["my-group", "system:authenticated"],
    extra: {},
  });
});

test("authenticated request all paths: 200; to /unknown: 404", async (t) => {
  const { ask, proxy } = await startTrusting(t);
  await ask(path, { as: proxy, headers, body: testType("foo") });
  for (const one of allPaths) assert.equal(await ask(one, { as: proxy, headers }), 200, one);
  assert.equal(await ask("/unknown", { as: proxy, headers }), 404);
});

test("401 on all paths: no client certs, certs from bad CA, CN not allowed, no user header", async (t) => {
  const { ask, proxy, proxyCa } = await startTrusting(t);
  const cheats = {
    "no client certs": { headers },
    "client certs from bad CA": {
      as: await issueClient(await createAuthority("bad-ca"), "system:auth-proxy"),
      headers,
    },
    "client certs with CN not allowed": { as: await issueClient(proxyCa, "somebody-else"), headers },
    "no user header": { as: proxy, headers: { "x-remote-group": "my-group" } },
  };
  for (const [name, cheat] of Object.entries(cheats)) {
    for (const one of [...allPaths, "/unknown"]) assert.equal(await ask(one, cheat), 401, `${name}: ${one}`);
  }
});

test("union: a user supplied through the custom authenticator needs no TLS, a certificate with headers no custom one", async (t) => {
  const { ask, proxy } = await startTrusting(t, (standard) =>
    unionAuthenticator([
      (incoming) => (incoming.header("x-custom") === undefined ? undefined : admin),
      async (incoming) => (await standard.authenticate(incoming)).user,
    ]),
  );
  assert.equal(await ask("/openapi/v2", { headers: { "x-custom": "yes" } }), 200);
  assert.equal(await ask("/openapi/v2", { as: proxy, headers }), 200);
  assert.equal(await ask("/openapi/v2", {}), 401);
});
