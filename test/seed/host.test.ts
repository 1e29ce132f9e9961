/** The seed's GetAuthorizer: a store asks whether the user of its call may do something else as well. */
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { Code, ConnectError, createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { createAuthority, type Issued, issueClientCertificate } from "../../gateway/certificates/certificates.ts";
import type { Attributes, Authorizer, HostRecord, KeepRecord } from "../../gateway/main.ts";
import { HostService } from "../../gen/annex/store/v1/host_pb.js";
import { createMemoryStore } from "../../stores/memory/store.ts";
import { type Call, createHost, forbidden, type Host, type Question, type Store } from "../../stores/sdk/sdk.ts";
import { createServingFolder } from "../support/certificates.ts";
import { admin, startSeed, testType, testTypes } from "./seed.testing.ts";

/** What a test varies. */
interface Asking {
  readonly authorizer?: Authorizer;
  readonly question?: Question;
  readonly record?: KeepRecord;
  /** What the store does beside its question, when it reads. */
  readonly onGet?: (call: Call, host: Host) => Promise<void>;
  /** The same when it lists. */
  readonly onList?: (call: Call, host: Host) => Promise<void>;
}

/** A gateway whose store asks about a verb of its own before it reads, and gives what it was asked with. */
async function startAsking(t: TestContext, options: Asking = {}) {
  const files = await createServingFolder(t);
  const clientCaFile = join(files.folder, "ca.crt");
  writeFileSync(clientCaFile, files.authority.cert);
  const pair = (issued: Issued) => {
    const [certFile, keyFile] = [join(files.folder, "store.crt"), join(files.folder, "store.key")];
    writeFileSync(certFile, issued.cert);
    writeFileSync(keyFile, issued.key, { mode: 0o600 });
    return { caFile: clientCaFile, certFile, keyFile };
  };
  const client = (name: string, authority = files.authority) => issueClientCertificate(authority, { name, groups: [] });
  const host = createHost(pair(await client("store-0")));
  t.after(() => host.close());
  const asked: Attributes[] = [];
  const calls: Call[] = [];
  // Reads go to the store itself, lists too.
  const memory = createMemoryStore([testTypes({ perUserReads: true })]);
  const {
    question = { verb: "read-secret", group: "ext.cattle.io", resource: "testtypes", name: "foo" },
    authorizer = ({ verb }) => ({ outcome: verb === "read-secret" ? "noOpinion" : "allow", reason: "" }),
  } = options;
  const store: Store = {
    ...memory,
    async get(call) {
      calls.push(call);
      await options.onGet?.(call, host);
      if (!(await host.isAllowed(call, question))) throw forbidden("you may not read secrets");
      return await memory.get?.(call);
    },
    async list(call) {
      await options.onList?.(call, host);
      return (await memory.list?.(call)) as Awaited<ReturnType<NonNullable<Store["list"]>>>;
    },
  };
  const seed = await startSeed(t, {
    stores: [store],
    authorizer: (attributes) => {
      asked.push(attributes);
      return authorizer(attributes);
    },
    hostService: {
      host: "127.0.0.1",
      port: 0,
      certFile: files.certFile,
      keyFile: files.keyFile,
      clientCaFile,
      ...(options.record === undefined ? {} : { record: options.record }),
    },
  });
  return { ...seed, files, client, asked, calls };
}

/** A caller of HostService that is no store of ours. */
function dial(ca: string, address: string, issued: Issued | undefined) {
  const baseUrl = `https://${address}`;
  const nodeOptions = { ca, ...issued };
  return createClient(HostService, createGrpcTransport({ baseUrl, nodeOptions }));
}

const path = "/apis/ext.cattle.io/v1/testtypes";

test("authorized read-only-error with custom store authorization: the store asks, is told no and answers 403", async (t) => {
  const { ask, asked } = await startAsking(t);
  assert.equal((await ask(path, { method: "POST", body: testType("foo") })).status, 201);
  const { status, body } = await ask(`${path}/foo`);
  assert.deepEqual([status, body.reason], [403, "Forbidden"]);
  assert.equal(body.message, 'testtypes.ext.cattle.io "foo" is forbidden: you may not read secrets');
  const { user, verb, apiGroup, resource, name, isResourceRequest } = asked.at(-1) as Attributes;
  assert.deepEqual(
    { user, verb, apiGroup, resource, name, isResourceRequest },
    {
      user: admin,
      verb: "read-secret",
      apiGroup: "ext.cattle.io",
      resource: "testtypes",
      name: "foo",
      isResourceRequest: true,
    },
  );
});

test("a store that is told yes goes on; it may ask about a path as well", async (t) => {
  const question = { verb: "get", nonResourcePath: "/secrets" };
  const { ask, asked } = await startAsking(t, { question, authorizer: () => ({ outcome: "allow", reason: "" }) });
  await ask(path, { method: "POST", body: testType("foo") });
  assert.equal((await ask(`${path}/foo`)).status, 200);
  const { verb, path: about, isResourceRequest } = asked.at(-1) as Attributes;
  assert.deepEqual([verb, about, isResourceRequest], ["get", "/secrets", false]);
});

test("an authorizer that fails leaves the store without an answer: 503, never a yes", async (t) => {
  const authorizer: Authorizer = ({ verb }) =>
    verb === "read-secret"
      ? { outcome: "noOpinion", reason: "", error: new Error("the review failed") }
      : { outcome: "allow", reason: "" };
  const { ask, logged } = await startAsking(t, { authorizer });
  await ask(path, { method: "POST", body: testType("foo") });
  const { status, text } = await ask(`${path}/foo`);
  assert.equal(status, 503);
  assert.doesNotMatch(text, /the review failed/);
  assert.ok(logged.some((line) => line.text === "a store's question can't be decided"));
});

test("a ticket dies with its request, and is another store's nowhere", async (t) => {
  const { ask, asked, calls, client, files } = await startAsking(t, {
    authorizer: () => ({ outcome: "allow", reason: "" }),
  });
  await ask(path, { method: "POST", body: testType("foo") });
  await ask(`${path}/foo`);
  const host = calls.at(-1)?.host;
  assert.ok(host);
  asked.length = 0;
  const question = { verb: "get", group: "g", resource: "r" };
  const codeFor = async (issued: Issued | undefined, ticket: Uint8Array) => {
    const caller = dial(files.authority.cert, host.address, issued);
    return await caller.authorize({ ticket, questions: [question] }).then(
      () => undefined,
      (error: unknown) => ConnectError.from(error).code,
    );
  };
  const own = await client("store-0");
  assert.equal(await codeFor(own, host.ticket), Code.Unauthenticated);
  assert.equal(await codeFor(own, Buffer.alloc(32)), Code.Unauthenticated);
  // Without a certificate, or with one of somebody else's authority, TLS ends before there is an answer.
  for (const stranger of [undefined, await client("store-0", await createAuthority("other"))]) {
    const code = await codeFor(stranger, host.ticket);
    assert.ok(code !== undefined && code !== Code.Unauthenticated, String(code));
  }
  assert.deepEqual(asked, []);
});

test("while its request runs, a ticket is good for its own store alone, and for questions that can be asked", async (t) => {
  const tried: unknown[] = [];
  const started = await startAsking(t, {
    async authorizer({ verb }) {
      if (verb === "read-secret") {
        const { host } = started.calls.at(-1) as Call;
        assert.ok(host);
        const dialled = (issued: Issued) => dial(started.files.authority.cert, host.address, issued);
        const own = dialled(await started.client("store-0"));
        const other = dialled(await started.client("store-1"));
        const { ticket } = host;
        const question = { verb: "list", group: "g", resource: "r" };
        const code = (error: unknown) => tried.push(ConnectError.from(error).code);
        await own
          .authorize({ ticket, questions: [question, question] })
          .then(({ answers }) => tried.push(answers.length));
        await other.authorize({ ticket, questions: [question] }).catch(code);
        await own.authorize({ ticket, questions: Array(101).fill(question) }).catch(code);
        await own.authorize({ ticket, questions: [{ ...question, nonResourcePath: "/x" }] }).catch(code);
        await own.authorize({ ticket, questions: [{ resource: "r" }] }).catch(code);
      }
      return { outcome: "allow", reason: "" };
    },
  });
  await started.ask(path, { method: "POST", body: testType("foo") });
  assert.equal((await started.ask(`${path}/foo`)).status, 200);
  assert.deepEqual(tried, [2, Code.Unauthenticated, Code.InvalidArgument, Code.InvalidArgument, Code.InvalidArgument]);
});

const allowAll: Authorizer = () => ({ outcome: "allow", reason: "" });
const told = { type: "Normal", reason: "SecretRead", message: "somebody read it" } as const;

test("what a store says about a request is kept with its user, object and audit id, and logged", async (t) => {
  const records: HostRecord[] = [];
  const kept: boolean[] = [];
  const { ask, logged } = await startAsking(t, {
    authorizer: allowAll,
    async record(record) {
      records.push(record);
    },
    async onGet(call, host) {
      kept.push(await host.record(call, { events: [told], auditAnnotations: { "example.com/secret": "read" } }));
    },
  });
  await ask(path, { method: "POST", body: testType("foo") });
  const { status, headers } = await ask(`${path}/foo`);
  assert.deepEqual([status, kept], [200, [true]]);
  const record = {
    ...{ store: "store-0", auditId: headers["audit-id"], user: admin },
    object: { apiVersion: "ext.cattle.io/v1", kind: "TestType", namespace: "", name: "foo", uid: "" },
    events: [told],
    annotations: { "example.com/secret": "read" },
  };
  assert.deepEqual(records, [record]);
  const line = logged.find(({ text }) => text === "a store adds to the record of a request");
  assert.deepEqual(line?.fields, { ...record, user: "my-user" });
});

test("a record that isn't kept is lost, and the request goes on", async (t) => {
  const kept: boolean[] = [];
  const { ask, logged } = await startAsking(t, {
    authorizer: allowAll,
    async record() {
      throw new Error("the cluster is away");
    },
    onGet: async (call, host) => void kept.push(await host.record(call, { events: [told] })),
  });
  await ask(path, { method: "POST", body: testType("foo") });
  assert.equal((await ask(`${path}/foo`)).status, 200);
  assert.deepEqual(kept, [false]);
  assert.ok(logged.some(({ text }) => text === "a store's record can't be kept"));
});

test("a record that can't be read is the store's fault; one by another store's certificate, or too late, is nobody's", async (t) => {
  const faults: string[] = [];
  const codes: unknown[] = [];
  const records: HostRecord[] = [];
  const failing = async (work: Promise<unknown>) => void (await work.catch(({ message }) => faults.push(message)));
  const started = await startAsking(t, {
    authorizer: allowAll,
    record: async (record) => void records.push(record),
    async onGet(call, host) {
      for (const change of [{ type: "Odd" as "Normal" }, { reason: "not a word" }, { message: "ü".repeat(513) }]) {
        await failing(host.record(call, { events: [{ ...told, ...change }] }));
      }
      await failing(host.record(call, { events: Array(101).fill(told) }));
      await failing(host.record(call, { auditAnnotations: { "a/b/c": "" } }));
      await tell(await started.client("store-1"), call);
    },
    onList: async (call, host) => await failing(host.record(call, { events: [told] })),
  });
  async function tell(issued: Issued, { host }: Call): Promise<void> {
    const caller = dial(started.files.authority.cert, host?.address ?? "", issued);
    await caller
      .record({ ticket: host?.ticket ?? new Uint8Array(), events: [told] })
      .catch((error) => codes.push(ConnectError.from(error).code));
  }
  await started.ask(path, { method: "POST", body: testType("foo") });
  await started.ask(`${path}/foo`);
  await started.ask(`${path}?limit=1`);
  await tell(await started.client("store-0"), started.calls.at(-1) as Call);
  assert.deepEqual(faults, [
    "event 0: its type must be Normal or Warning",
    "event 0: its reason must be a word in CamelCase of at most 128 letters",
    "event 0: its message must have at most 1024 bytes",
    "at most 100 events are kept at once",
    'annotation "a/b/c": its key must be a qualified name',
    "the request is about no single object",
  ]);
  assert.deepEqual(codes, [Code.Unauthenticated, Code.Unauthenticated]);
  assert.deepEqual(records, []);
});

test("records that pile up are refused, not queued", async (t) => {
  const held = Promise.withResolvers<void>();
  const kept: boolean[] = [];
  const { ask } = await startAsking(t, {
    authorizer: allowAll,
    record: async () => await held.promise,
    async onGet(call, host) {
      const all = Array.from({ length: 101 }, async () => {
        const isKept = await host.record(call, { events: [told] });
        // The first answer is that of the one too many.
        if (kept.push(isKept) === 1) held.resolve();
      });
      await Promise.all(all);
    },
  });
  await ask(path, { method: "POST", body: testType("foo") });
  assert.equal((await ask(`${path}/foo`)).status, 200);
  assert.deepEqual(kept, [false, ...Array(100).fill(true)]);
});
