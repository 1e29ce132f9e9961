/**
 * Two workers on one port: each is a whole gateway, and together they are one. What a client writes
 * through the one it reads through the other; what the one counts is in the figures of both; when one is
 * killed the other serves until there is another.
 */
import assert from "node:assert/strict";
import { randomInt, X509Certificate } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { setTimeout } from "node:timers/promises";
import { connect } from "node:tls";
import { parse, stringify } from "yaml";
import { issueClientCertificate, writePrivate } from "../../gateway/certificates/certificates.ts";
import { createMemoryStore, memoryCapabilities } from "../../stores/memory/store.ts";
import { createHost, forbidden, type Host, type ServedStore, type Store, serveStore } from "../../stores/sdk/sdk.ts";
import { contractResources, resource } from "../contract/contract.testing.ts";
import { issueServing } from "../support/certificates.ts";
import { annexBin } from "../support/checkout.ts";
import { type Client, type Credentials, createClient, credentialsOf } from "../support/client.ts";
import { eventually } from "../support/eventually.ts";
import { type GatewayProcess, startGatewayProcess } from "../support/gateway-process.ts";
import { runKubectl } from "../support/kubectl.ts";
import { run } from "../support/run.ts";
import { createNoteStore } from "./note-store.ts";

const { group } = resource;
const base = `/apis/${group}/v1`;
const things = `${base}/namespaces/ns/things`;
/** A worker is a Node process that starts, on a machine that others keep busy. */
const patience = { timeoutMs: 60_000 };

/** Nobody can know what was before. */
const firstRevision = 1_000n;

/** A line of the log, as far as tests read it. */
interface Line {
  readonly worker?: number;
  readonly pid?: number;
  readonly auditId?: string;
  readonly signal?: string;
  readonly msg: string;
}

const lines = (gateway: GatewayProcess): Line[] => gateway.log.map((line) => JSON.parse(line) as Line);

/** The process that a worker is now. */
function pidOf(gateway: GatewayProcess, worker: number): number {
  const found = lines(gateway).findLast((line) => line.msg === "a worker is ready" && line.worker === worker);
  assert.ok(found?.pid !== undefined, `worker ${worker} is ready`);
  return found.pid;
}

let asked = 0;

/** Gives a client with one connection, and the worker where it leads. */
async function connected(
  gateway: GatewayProcess,
  as = credentialsOf(gateway.kubeconfig),
): Promise<{ client: Client; worker: number }> {
  const client = createClient({ url: gateway.url, credentials: as, connections: 1 });
  const auditId = `which-${asked++}`;
  await client.ask({ path: "/version", headers: { "audit-id": auditId } });
  let worker: number | undefined;
  await eventually(() => {
    worker = lines(gateway).find((line) => line.auditId === auditId)?.worker;
    return worker !== undefined;
  }, "the request is logged, with its worker");
  return { client, worker: worker as number };
}

/** Gives a client of each worker: the kernel spreads connections by their ports, so another one may lead elsewhere. */
async function clientsOf(gateway: GatewayProcess, as?: Credentials): Promise<readonly [Client, Client]> {
  const found = new Map<number, Client>();
  for (let tries = 0; found.size < 2; tries++) {
    assert.ok(tries < 200, "connections lead to both workers");
    const { client, worker } = await connected(gateway, as);
    if (found.has(worker)) client.close();
    else found.set(worker, client);
  }
  return [found.get(1) as Client, found.get(2) as Client];
}

function post(name: string) {
  const body = JSON.stringify({ apiVersion: `${group}/v1`, kind: "Thing", metadata: { name } });
  return { method: "POST", path: things, headers: { "content-type": "application/json" }, body };
}

/** The values of `/metrics`, by name and labels. */
async function figures(client: Client): Promise<ReadonlyMap<string, number>> {
  const { status, body } = await client.ask({ path: "/metrics" });
  assert.equal(status, 200, body);
  const samples = body.split("\n").filter((line) => line !== "" && !line.startsWith("#"));
  return new Map(samples.map((line) => [line.slice(0, line.lastIndexOf(" ")), Number(line.split(" ").at(-1))]));
}

const versions =
  'apiserver_request_total{code="200",component="apiserver",dry_run="",group="",resource="",scope="",subresource="/version",verb="GET",version=""}';

describe("two workers", () => {
  const folder = mkdtempSync(join(tmpdir(), "annex-workers-"));
  const listen = `unix:${join(folder, "memory.sock")}`;
  let store: Store;
  let served: ServedStore;
  let host: Host;
  let gateway: GatewayProcess;
  let clients: readonly [Client, Client];
  const file = (name: string, text: string) => {
    writePrivate(join(folder, name), text);
    return join(folder, name);
  };

  before(async () => {
    const memory = createMemoryStore(contractResources(memoryCapabilities), firstRevision);
    store = {
      ...memory,
      async create(call) {
        // Which worker its question comes to is not for the store to know.
        if (!(await host.isAllowed(call, { verb: "make", group, resource: "things" }))) throw forbidden("no");
        return (await memory.create?.(call)) as Awaited<ReturnType<NonNullable<typeof memory.create>>>;
      },
    };
    served = await serveStore(store, { listen, log: () => {} });
    const port = await freePort();
    gateway = await startGatewayProcess({
      stores: [{ name: "memory", address: served.address }],
      serves: [`things.${group}`],
      config: {
        workers: 2,
        hostService: {
          ...{ host: "127.0.0.1", port, address: `127.0.0.1:${port}` },
          ...{ certFile: "tls.crt", keyFile: "tls.key", clientCAFile: "ca.crt" },
        },
      },
    });
    const pair = await issueClientCertificate(gateway.authority, { name: "memory", groups: [] });
    host = createHost({
      caFile: join(gateway.folder, "ca.crt"),
      certFile: file("store.crt", pair.cert),
      keyFile: file("store.key", pair.key),
    });
    clients = await clientsOf(gateway);
  });
  after(async () => {
    for (const client of clients ?? []) client.close();
    host?.close();
    await gateway?.stop();
    await served?.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  test("say the same of what they serve, and each line of their log whose it is", async () => {
    for (const path of ["/apis", "/openapi/v2", "/openapi/v3", `/openapi/v3${base}`, base, "/version"]) {
      const headers = {
        accept: "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json",
      };
      const [one, other] = await Promise.all(clients.map((client) => client.ask({ path, headers })));
      assert.equal(one?.status, 200, path);
      assert.equal(one.body, other?.body, path);
      assert.equal(one.headers["etag"], other?.headers["etag"], path);
    }
    const unnamed = lines(gateway).filter(({ worker }) => worker === undefined);
    assert.deepEqual(unnamed, []);
    assert.deepEqual(new Set(lines(gateway).map(({ worker }) => worker)), new Set([1, 2]));
  });

  test("a store's question is answered by whichever worker it comes to", async () => {
    for (const [index, client] of clients.entries()) {
      for (let n = 0; n < 3; n++) {
        const made = await client.ask(post(`asked-${index}-${n}`));
        assert.equal(made.status, 201, made.body);
      }
    }
  });

  test("what is written through one is read, listed and watched through the other", async () => {
    for (const [writer, reader] of [clients, [...clients].reverse() as [Client, Client]] as const) {
      const name = `written-${asked++}`;
      const made = await writer.ask(post(name));
      assert.equal(made.status, 201, made.body);
      const { resourceVersion } = JSON.parse(made.body).metadata;
      assert.equal((await reader.ask({ path: `${things}/${name}` })).status, 200);
      for (const query of ["", `?resourceVersion=${resourceVersion}&resourceVersionMatch=NotOlderThan`]) {
        const list = JSON.parse((await reader.ask({ path: `${things}${query}` })).body);
        assert.ok(
          list.items.some((item: { metadata: { name: string } }) => item.metadata.name === name),
          query,
        );
      }
      const next = `${name}-next`;
      const watch = reader.ask({ path: `${things}?watch=true&resourceVersion=${resourceVersion}&timeoutSeconds=3` });
      assert.equal((await writer.ask(post(next))).status, 201);
      const events = (await watch).body
        .trim()
        .split("\n")
        .map((line) => JSON.parse(line));
      const seen = events.map(({ type, object }) => [type, object.metadata?.name]);
      assert.deepEqual(seen, [["ADDED", next]]);
    }
  });

  test("a list goes on through the other, and what is gone is gone at both", async () => {
    const whole = JSON.parse((await clients[0].ask({ path: things })).body);
    const first = JSON.parse((await clients[0].ask({ path: `${things}?limit=2` })).body);
    assert.equal((await clients[0].ask(post(`aa-${asked++}`))).status, 201);
    const token = encodeURIComponent(first.metadata.continue);
    const [here, there] = await Promise.all(
      clients.map(async (client) =>
        JSON.parse((await client.ask({ path: `${things}?limit=2&continue=${token}` })).body),
      ),
    );
    const names = (list: typeof whole) => list.items.map((item: { metadata: { name: string } }) => item.metadata.name);
    assert.deepEqual(names(there), names(here));
    assert.deepEqual([...names(first), ...names(here)], names(whole).slice(0, 4));
    assert.equal(there.metadata.resourceVersion, whole.metadata.resourceVersion);
    const start = Buffer.from(JSON.stringify({ v: "meta.k8s.io/v1", rv: 1, start: "ns/aa\u0000" })).toString(
      "base64url",
    );
    for (const query of [`limit=2&continue=${start}`, "limit=2&resourceVersion=1&resourceVersionMatch=Exact"]) {
      for (const client of clients) {
        const { status, body } = await client.ask({ path: `${things}?${query}` });
        assert.equal(status, 410, body);
        assert.equal(JSON.parse(body).reason, "Expired");
      }
    }
    for (const client of clients) {
      const { body } = await client.ask({ path: `${things}?watch=true&resourceVersion=1` });
      assert.match(body, /^\{"type":"ERROR","object":\{.*"reason":"Expired","code":410\}\}\n$/);
    }
  });

  test("either tells the figures of both", async () => {
    const before = (await figures(clients[0])).get(versions) ?? 0;
    for (const client of clients) for (let n = 0; n < 5; n++) await client.ask({ path: "/version" });
    for (const client of clients) {
      const now = await figures(client);
      assert.equal(now.get(versions), before + 10);
      assert.equal(now.get('annex_workers{state="ready"}'), 2);
      assert.equal(now.get("annex_workers_silent"), 0);
      assert.equal(
        now.get(`annex_store_cache_objects{group="${group}",resource="things",store="memory"}`),
        await count(),
      );
    }
    const reset = await clients[1].ask({ method: "DELETE", path: "/metrics" });
    assert.equal(reset.body, "metrics reset\n");
    assert.equal((await figures(clients[0])).get(versions) ?? 0, 0);
  });

  async function count(): Promise<number> {
    return JSON.parse((await clients[0].ask({ path: `${base}/things` })).body).items.length;
  }

  test("a changed certificate, and a changed list of stores, come to both", async () => {
    const pair = await issueServing(gateway.authority);
    writeFileSync(join(gateway.folder, "tls.key"), pair.key);
    writeFileSync(join(gateway.folder, "tls.crt"), pair.cert);
    const { fingerprint256 } = new X509Certificate(pair.cert);
    // Twenty connections lead to one worker alone once in half a million times.
    const shown = async () => await Promise.all(Array.from({ length: 20 }, () => fingerprintAt(gateway.url)));
    await eventually(
      async () => (await shown()).every((one) => one === fingerprint256),
      "both show the new one",
      patience,
    );

    const config = join(gateway.folder, "gateway.yaml");
    const document = parse(readFileSync(config, "utf8"));
    document.stores[0].name = "renamed";
    writeFileSync(config, stringify(document));
    const named = async (client: Client) =>
      [...(await figures(client)).keys()].some((key) => key.includes('store="renamed"'));
    await eventually(
      async () => {
        const ready = (await figures(clients[0])).get('annex_store_state{state="ready",store="renamed"}');
        const old = (await figures(clients[0])).get('annex_store_state{state="ready",store="memory"}');
        return ready === 1 && old === undefined && (await named(clients[1]));
      },
      "both follow the store by its new name",
      patience,
    );
    document.stores[0].name = "memory";
    writeFileSync(config, stringify(document));
    await eventually(
      async () => (await figures(clients[0])).get('annex_store_state{state="ready",store="renamed"}') === undefined,
      "and by its old one",
      patience,
    );
    for (const client of clients)
      await eventually(async () => (await client.ask({ path: things })).status === 200, "it serves");
  });

  test("one that is killed is replaced, and the other serves meanwhile", async () => {
    const [survivor] = clients;
    const before = await figures(survivor);
    const killed = pidOf(gateway, 2);
    process.kill(killed, "SIGKILL");
    await eventually(
      () =>
        lines(gateway).some((line) => line.worker === 2 && line.signal === "SIGKILL" && /another one/.test(line.msg)),
      "its end is logged",
    );
    let failures = 0;
    await eventually(
      async () => {
        const { client } = await connected(gateway);
        const [ready, made] = [await client.ask({ path: "/readyz" }), await client.ask(post(`meanwhile-${asked++}`))];
        if (ready.status !== 200 || made.status !== 201) failures++;
        client.close();
        return pidOf(gateway, 2) !== killed;
      },
      "another one is ready",
      patience,
    );
    assert.equal(failures, 0);
    const now = await figures(survivor);
    for (const name of [versions, "process_cpu_seconds_total"])
      assert.ok((now.get(name) ?? 0) >= (before.get(name) ?? 0), `${name} never goes back`);
    assert.equal(now.get("annex_worker_deaths_total"), 1);
    clients[1].close();
    clients = [survivor, (await clientsOf(gateway))[1]];
    assert.equal((await clients[1].ask({ path: things })).status, 200);
  });

  test("kubectl sees one server", async () => {
    const { kubeconfig } = gateway;
    const stdin = `apiVersion: ${group}/v1\nkind: Thing\nmetadata: {name: by-kubectl, namespace: ns}\n`;
    const made = await runKubectl(["create", "-f", "-"], { kubeconfig, stdin });
    assert.equal(made.stdout, `thing.${group}/by-kubectl created\n`, made.stderr);
    for (let n = 0; n < 3; n++) {
      const got = await runKubectl(["get", `things.${group}`, "by-kubectl", "-n", "ns", "-o", "name"], { kubeconfig });
      assert.equal(got.stdout, `thing.${group}/by-kubectl\n`, got.stderr);
    }
  });

  test("one that starts while a store is away knows what it serves", async () => {
    const killed = pidOf(gateway, 1);
    await served.stop();
    process.kill(killed, "SIGKILL");
    await eventually(() => pidOf(gateway, 1) !== killed, "another one is ready", patience);
    for (const client of clients) client.close();
    clients = await clientsOf(gateway);
    assert.equal((await clients[0].ask({ path: `/openapi/v3${base}` })).status, 200);
    assert.equal((await clients[0].ask({ path: things })).status, 503);
    served = await serveStore(store, { listen, log: () => {} });
    await eventually(
      async () => (await clients[0].ask({ path: things })).status === 200,
      "the store is used",
      patience,
    );
  });

  test("what keeps one process from starting keeps two, in the same words", async () => {
    const document = parse(readFileSync(join(gateway.folder, "gateway.yaml"), "utf8"));
    const listen = { ...document.listen, port: Number(new URL(gateway.url).port) };
    const told = await Promise.all(
      [1, 2].map(async (workers) => {
        const config = file(
          `taken-${workers}.yaml`,
          stringify({ ...document, listen, hostService: undefined, workers }),
        );
        return await run(process.execPath, [annexBin, "gateway", "--config", config]);
      }),
    );
    assert.match(told[0]?.stderr ?? "", /^annex gateway: 127\.0\.0\.1:\d+ is in use by another process\n$/);
    assert.equal(told[0]?.code, 1);
    assert.deepEqual(told[1], told[0]);
  });

  test("when their supervisor is killed they end by themselves", async () => {
    const workers = [1, 2].map((worker) => pidOf(gateway, worker));
    process.kill(gateway.pid, "SIGKILL");
    for (const pid of workers) await eventually(() => !isRunning(pid), `process ${pid} is gone`, patience);
  });
});

test("each of two workers asks a store with reads of their own as the user who asks", async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "annex-workers-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const [notes] = contractResources(memoryCapabilities, { perUserReads: true });
  assert.ok(notes !== undefined);
  const { store, streams } = createNoteStore(notes, firstRevision);
  const served = await serveStore(store, { listen: `unix:${join(folder, "notes.sock")}`, log: () => {} });
  t.after(() => served.stop());
  const gateway = await startGatewayProcess({
    stores: [{ name: "notes", address: served.address }],
    serves: [`things.${group}`],
    config: { workers: 2 },
  });
  t.after(() => gateway.stop());
  const users = ["alice", "bob"] as const;
  const [alices, bobs] = await Promise.all(
    users.map(async (name) => {
      const { cert, key } = await issueClientCertificate(gateway.authority, { name, groups: ["system:masters"] });
      return await clientsOf(gateway, { ca: gateway.authority.cert, cert, key });
    }),
  );
  assert.ok(alices !== undefined && bobs !== undefined);
  const all = [...alices, ...bobs];
  t.after(() => {
    for (const client of all) client.close();
  });
  const create = async (client: Client, name: string, user: string) => {
    const body = { apiVersion: `${group}/v1`, kind: "Thing", metadata: { name }, spec: { user } };
    const made = await client.ask({ ...post(name), body: JSON.stringify(body) });
    assert.equal(made.status, 201, made.body);
  };
  await create(alices[0], "a1", "alice");
  await create(bobs[1], "b1", "bob");
  const listed = await Promise.all(all.map(async (client) => JSON.parse((await client.ask({ path: things })).body)));
  const namesIn = (list: { items: { metadata: { name: string } }[] }) => list.items.map((item) => item.metadata.name);
  assert.deepEqual(listed.map(namesIn), [["a1"], ["a1"], ["b1"], ["b1"]]);

  // Each goes on where the other worker's list ended.
  const from = (at: number) => listed[at ^ 1].metadata.resourceVersion;
  const watches = await Promise.all(
    all.map((client, at) => client.open({ path: `${things}?watch=true&resourceVersion=${from(at)}` })),
  );
  const seen = all.map(() => "");
  for (const [at, watch] of watches.entries()) {
    watch.body.setEncoding("utf8").on("data", (text: string) => {
      seen[at] += text;
    });
  }
  await eventually(() => streams.length === 4, "each watch is a stream");
  assert.deepEqual(streams.toSorted(), ["alice", "alice", "bob", "bob"]);
  // The clients' one connection each is taken by their watches.
  const [writer] = await clientsOf(gateway);
  t.after(() => writer.close());
  for (const [name, user] of [
    ["a2", "alice"],
    ["b2", "bob"],
    ["a3", "alice"],
    ["b3", "bob"],
  ] as const) {
    await create(writer, name, user);
  }
  await eventually(() => seen.every((text) => /"[ab]3"/.test(text)), "each watch tells of its user's last one");
  const told = seen.map((text) =>
    text
      .split("\n")
      .slice(0, -1)
      .map((line) => JSON.parse(line))
      .map(({ type, object }) => `${type} ${object.metadata.name}`),
  );
  const [own, others] = [
    ["ADDED a2", "ADDED a3"],
    ["ADDED b2", "ADDED b3"],
  ];
  assert.deepEqual(told, [own, own, others, others]);
  for (const watch of watches) watch.cancel();
  await eventually(() => streams.length === 0, "the streams end with their watches");
});

test("a drain of two workers loses no write that was sent on an open connection, and ends with 0", async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "annex-workers-"));
  const memory = createMemoryStore(contractResources(memoryCapabilities));
  const served = await serveStore(memory, { listen: `unix:${join(folder, "memory.sock")}`, log: () => {} });
  t.after(async () => {
    await served.stop();
    rmSync(folder, { recursive: true, force: true });
  });
  const gateway = await startGatewayProcess({
    stores: [{ name: "memory", address: served.address }],
    serves: [`things.${group}`],
    config: { workers: 2, shutdown: { delaySeconds: 1, deadlineSeconds: 10 } },
  });
  const credentials = credentialsOf(gateway.kubeconfig);
  let made = 0;
  let refused = 0;
  let reset = 0;
  const failures: string[] = [];
  let isOver = false;
  const writers = Array.from({ length: 24 }, async (_, writer) => {
    let client = createClient({ url: gateway.url, credentials, connections: 1 });
    let isFresh = true;
    for (let n = 0; !isOver; n++) {
      try {
        const { status, headers, body } = await client.ask(post(`w${writer}-${n}`));
        if (status === 201) made++;
        else failures.push(`${status} ${body}`);
        isFresh = false;
        if (headers["connection"] !== "close") continue;
      } catch (error) {
        // Who comes anew when the port is closed, or just being closed, is told so before it sends anything.
        const code = String((error as NodeJS.ErrnoException).code ?? error);
        if (code === "ECONNREFUSED") refused++;
        else if (isFresh && code === "ECONNRESET") reset++;
        else failures.push(code);
        await setTimeout(20);
      }
      isFresh = true;
      client.close();
      client = createClient({ url: gateway.url, credentials, connections: 1 });
    }
    client.close();
  });
  await eventually(() => made > 200, "writes go on");
  const checker = createClient({ url: gateway.url, credentials });
  process.kill(gateway.pid, "SIGTERM");
  await eventually(async () => {
    const asked = await checker.ask({ path: "/readyz" }).catch(() => undefined);
    return asked === undefined || asked.status === 500;
  }, "it is no longer ready");
  checker.close();
  const code = await gateway.ended;
  isOver = true;
  await Promise.all(writers);
  await gateway.stop();
  t.diagnostic(`${made} writes; new connections: ${refused} refused, ${reset} reset`);
  assert.equal(code, 0);
  assert.ok(refused > 0);
  assert.deepEqual(failures, []);
});

/** Below those that the kernel gives by itself: whoever else asks for one a moment later isn't given this. */
async function freePort(): Promise<number> {
  for (;;) {
    const port = randomInt(20_000, 30_000);
    const server = createServer().listen(port, "127.0.0.1");
    const isFree = await once(server, "listening").then(
      () => true,
      () => false,
    );
    if (!isFree) continue;
    await once(server.close(), "close");
    return port;
  }
}

async function fingerprintAt(url: string): Promise<string> {
  const { hostname: host, port } = new URL(url);
  const socket = connect({ host, port: Number(port), rejectUnauthorized: false });
  await once(socket, "secureConnect");
  const { fingerprint256 } = socket.getPeerCertificate();
  socket.destroy();
  return fingerprint256;
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
