/**
 * What clients are told of a state that is gone, by a kube-apiserver whose etcd was compacted and by an Annex whose
 * store has forgotten it: the same, and so are the pages that follow.
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { type TestContext, test } from "node:test";
import { createMemoryStore, memoryCapabilities } from "../../../stores/memory/store.ts";
import { contractResources, resource } from "../../contract/contract.testing.ts";
import { createClient } from "../../support/client.ts";
import { eventually } from "../../support/eventually.ts";
import { startTestGateway } from "../../support/gateway.ts";
import { startCluster } from "./cluster.ts";

const { group, version, plural } = resource;
const things = `/apis/${group}/${version}/namespaces/default/${plural}`;
const definition = {
  apiVersion: "apiextensions.k8s.io/v1",
  kind: "CustomResourceDefinition",
  metadata: { name: `${plural}.${group}` },
  spec: {
    ...{ group, scope: "Namespaced", names: { plural, kind: "Thing" } },
    versions: [{ name: version, served: true, storage: true, schema: { openAPIV3Schema: { type: "object" } } }],
  },
};

interface Answer {
  readonly status: number;
  readonly text: string;
}

/** A server with one empty collection. */
interface Server {
  /** Reads the collection, or makes an object. */
  ask(query: string, object?: object): Promise<Answer>;
  /** Lets it forget every state but the one of now, which has this revision. */
  forget(revision: string): Promise<void>;
}

async function startKube(t: TestContext): Promise<Server> {
  // Its cache would still have what etcd has not.
  const apiserverArgs = ["--feature-gates=ListFromCacheSnapshot=false"];
  const cluster = await startCluster({ controllerManager: false, apiserverArgs });
  const { ca, admin } = cluster.pki;
  const credentials = { ca: readFileSync(ca), cert: readFileSync(admin.cert), key: readFileSync(admin.key) };
  const client = createClient({ url: cluster.url, credentials });
  t.after(async () => {
    client.close();
    await cluster.stop();
  });
  const post = async (path: string, object: object) => {
    const headers = { "content-type": "application/json" };
    return await client.ask({ method: "POST", path, headers, body: JSON.stringify(object) });
  };
  await post("/apis/apiextensions.k8s.io/v1/customresourcedefinitions", definition);
  await eventually(async () => (await client.ask({ path: things })).status === 200, "things are served");
  return {
    async ask(query, object) {
      const path = `${things}?${query}`;
      const { status, body: text } = await (object === undefined ? client.ask({ path }) : post(path, object));
      return { status, text };
    },
    async forget(revision) {
      const body = JSON.stringify({ revision });
      const { status } = await fetch(`${cluster.etcdUrl}/v3/kv/compaction`, { method: "POST", body });
      assert.equal(status, 200);
    },
  };
}

async function startAnnex(t: TestContext): Promise<Server> {
  const stores = { memory: createMemoryStore(contractResources(memoryCapabilities), 1n, 3) };
  const start = async () => {
    const gateway = await startTestGateway({ stores });
    t.after(() => gateway.stop());
    return gateway;
  };
  let gateway = await start();
  return {
    ask: (query, body) =>
      gateway.ask(`${things}?${query}`, { method: body === undefined ? "GET" : "POST", ...(body && { body }) }),
    async forget() {
      gateway = await start();
      const stop = new AbortController();
      // Reads come from the copy once a watch has begun.
      await gateway.ask(`${things}?watch=true`, { signal: stop.signal, onText: () => stop.abort() });
    },
  };
}

/** Gives what a server says of a page, a list and a watch whose state is gone, and the pages that it offers. */
async function toldBy({ ask, forget }: Server): Promise<readonly unknown[]> {
  const told: object[] = [];
  const read = async (query: string) => JSON.parse((await ask(query)).text);
  const note = async (query: string) => {
    const { status, text } = await ask(query);
    const { items, metadata, ...rest } = JSON.parse(text);
    const { resourceVersion, continue: token = "" } = metadata;
    const inside = Buffer.from(token, "base64url").toString();
    const names = items?.map((item: { metadata: { name: string } }) => item.metadata.name);
    // Of revisions it counts only whether the token has the page's.
    const goesOn = {
      ...metadata,
      ...(resourceVersion && { resourceVersion: "N" }),
      continue: inside.replace(`"rv":${resourceVersion},`, `"rv":N,`),
    };
    told.push({ status, names, metadata: goesOn, ...rest });
    return token;
  };
  const create = async (name: string) => {
    const made = await ask("", { apiVersion: `${group}/${version}`, kind: "Thing", metadata: { name } });
    assert.equal(made.status, 201, made.text);
  };
  for (const name of ["a", "b", "c", "d", "e"]) await create(name);
  const { metadata: first } = await read("limit=2");
  for (const name of ["aa", "bb", "f", "g"]) await create(name);
  await forget((await read("")).metadata.resourceVersion);
  await note(`resourceVersion=${first.resourceVersion}&resourceVersionMatch=Exact`);
  for (let token = first.continue; token !== ""; ) {
    token = await note(`limit=2&continue=${token}`);
    await create(`z-${told.length}`);
  }
  const watch = await ask("watch=true&resourceVersion=1");
  told.push({ status: watch.status, event: JSON.parse(watch.text.replace(/\(\d+\)/, "(OLDEST)")) });
  return told;
}

test("Annex says of a state that is gone what kube-apiserver says", async (t) => {
  const [expected, told] = await Promise.all([startKube(t).then(toldBy), startAnnex(t).then(toldBy)]);
  assert.equal(expected.length, 7);
  assert.deepEqual(told, expected);
});
