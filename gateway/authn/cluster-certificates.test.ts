/** Whom the host cluster trusts, as it changes. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { KubeError, type KubeRequest } from "../kubeclient/kubeclient.ts";
import { createAuthentication } from "./authn.ts";
import { clientAuth, cn, issue, midday, peer, request } from "./certificates.fixture.ts";
import { followClusterCertificates } from "./cluster-certificates.ts";

const proxyCa = await issue({ subject: [cn("front-proxy-ca")], ca: true });
const nextCa = await issue({ subject: [cn("front-proxy-ca-2")], ca: true });
const clientCa = await issue({ subject: [cn("client-ca")], ca: true });
const proxy = await issue({ subject: [cn("front-proxy-client")], by: proxyCa, usages: [clientAuth] });
const nextProxy = await issue({ subject: [cn("front-proxy-client")], by: nextCa, usages: [clientAuth] });
const admin = await issue({ subject: [cn("admin")], by: clientCa, usages: [clientAuth] });

const published = {
  "client-ca-file": clientCa.pem,
  "requestheader-client-ca-file": proxyCa.pem,
  "requestheader-allowed-names": '["front-proxy-client"]',
  "requestheader-username-headers": '["X-Remote-User"]',
  "requestheader-group-headers": '["X-Remote-Group"]',
  "requestheader-extra-headers-prefix": '["X-Remote-Extra-"]',
};

/** A host whose ConfigMap is what `publish` says; a connection that is kept; and who is known on it. */
async function follow(first: Record<string, string> | undefined) {
  let revision = 1;
  const configMap = (data: Record<string, string>) => ({
    metadata: {
      name: "extension-apiserver-authentication",
      namespace: "kube-system",
      resourceVersion: String(revision++),
    },
    data,
  });
  const asked: string[] = [];
  const events: { type: string; object: object }[] = [];
  let wake = () => {};
  const client = {
    async request({ path, query }: KubeRequest) {
      asked.push(`${path}?${new URLSearchParams(query)}`);
      return { metadata: { resourceVersion: "1" }, items: first === undefined ? [] : [configMap(first)] } as never;
    },
    async *lines({ signal }: KubeRequest) {
      signal?.addEventListener("abort", () => wake());
      while (!signal?.aborted) {
        for (const event of events.splice(0)) yield JSON.stringify(event);
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
      throw new KubeError("closed", 0);
    },
  };
  const lines: string[] = [];
  const say = (fields: object, text: string) => lines.push((fields as { error?: string }).error ?? text);
  const log = { info() {}, warn: say, error: say };
  const cluster = followClusterCertificates({ client, random: () => 0, log });
  await cluster.synced();
  const authentication = createAuthentication({ cluster, anonymous: true, clock: () => midday, log });
  let changes = 0;
  authentication.onClientCas(() => changes++);
  const connections = { old: peer(proxy), next: peer(nextProxy), direct: peer(admin) };
  return {
    asked,
    lines,
    changes: () => changes,
    ...authentication,
    async tell(type: string, data: Record<string, string>) {
      events.push({ type, object: configMap(data) });
      wake();
      await new Promise((resolve) => setImmediate(resolve));
    },
    /** Who is known, `401` if nobody is. */
    async known(connection: keyof typeof connections, headers: Record<string, string> = {}) {
      const sent = connection === "direct" ? {} : { "x-remote-user": "ann", "x-remote-uid": "7", ...headers };
      try {
        const { user } = await authentication.authenticate(request(sent, connections[connection]));
        return `${user.name} ${user.uid}`.trim();
      } catch (error) {
        return (error as { status: { code: number } }).status.code;
      }
    },
  };
}

test("followClusterCertificates() asks for the one ConfigMap, and takes no uid unless it names the header", async () => {
  const { asked, known, tell, close } = await follow(published);
  const selector = "fieldSelector=metadata.name%3Dextension-apiserver-authentication";
  assert.deepEqual(asked, [`/api/v1/namespaces/kube-system/configmaps?${selector}&limit=500`]);
  assert.equal(await known("old"), "ann");
  assert.equal(await known("direct"), "admin");
  await tell("MODIFIED", { ...published, "requestheader-uid-headers": '["X-Remote-Uid"]' });
  assert.equal(await known("old"), "ann 7");
  close();
});

test("followClusterCertificates() reaches connections that are open when an authority rotates", async () => {
  const { known, tell, changes, clientCas, close } = await follow(published);
  assert.equal(await known("next"), 401);
  await tell("MODIFIED", { ...published, "requestheader-client-ca-file": `${proxyCa.pem}\n${nextCa.pem}` });
  assert.equal(await known("old"), "ann");
  assert.equal(await known("next"), "ann");
  await tell("MODIFIED", { ...published, "requestheader-client-ca-file": nextCa.pem });
  assert.equal(await known("old"), 401);
  assert.equal(await known("next"), "ann");
  assert.equal(changes(), 2);
  const named = (clientCas().match(/BEGIN/g) ?? []).length;
  assert.equal(named, 2, "the new front proxy's and the clients'");
  close();
});

test("followClusterCertificates() reads other headers, and other names may be the proxy, as soon as it is told", async () => {
  const { known, tell, close } = await follow(published);
  const renamed = { ...published, "requestheader-username-headers": '["X-Other-User"]' };
  await tell("MODIFIED", renamed);
  assert.equal(await known("old"), 401);
  assert.equal(await known("old", { "x-other-user": "eve" }), "eve");
  await tell("MODIFIED", { ...renamed, "requestheader-allowed-names": '["another-proxy"]' });
  assert.equal(await known("old", { "x-other-user": "eve" }), 401);
  await tell("MODIFIED", published);
  assert.equal(await known("old", { "x-other-user": "eve" }), "ann");
  close();
});

test("followClusterCertificates() believes nobody where nothing is said, or is said no more", async () => {
  const none = await follow(undefined);
  assert.deepEqual([await none.known("old"), await none.known("direct")], ["system:anonymous", "system:anonymous"]);
  assert.equal(none.clientCas(), "");
  none.close();
  const { known, tell, close } = await follow(published);
  await tell("MODIFIED", { "client-ca-file": clientCa.pem });
  assert.deepEqual([await known("old"), await known("direct")], [401, "admin"]);
  await tell("DELETED", published);
  assert.deepEqual([await known("old"), await known("direct")], ["system:anonymous", "system:anonymous"]);
  close();
});

test("followClusterCertificates() keeps what was last good over text that makes no sense", async () => {
  const { known, tell, lines, close } = await follow(published);
  await tell("MODIFIED", { ...published, "requestheader-client-ca-file": "no PEM" });
  await tell("MODIFIED", { ...published, "requestheader-allowed-names": '["a"' });
  await tell("MODIFIED", { ...published, "requestheader-extra-headers-prefix": '[""]' });
  await tell("MODIFIED", {
    ...published,
    "requestheader-client-ca-file": clientCa.pem,
    "requestheader-allowed-names": "[]",
  });
  assert.equal(await known("old"), "ann");
  assert.equal(await known("direct", {}), "admin");
  const whys = [
    /^requestheader-client-ca-file: it holds no PEM block/,
    /^requestheader-allowed-names: /,
    /^requestheader-extra-headers-prefix: must be a JSON array of strings that are not empty$/,
    /^the front proxy's authority and the clients' share a certificate; /,
  ];
  for (const [index, why] of whys.entries()) assert.match(lines[index] ?? "", why);
  assert.equal(lines.length, whys.length);
  close();
});
