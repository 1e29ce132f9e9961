/** `annex dev` and `annex gateway` as processes: what they write, how they fail, how they end. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { X509Certificate } from "node:crypto";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { Agent, request } from "node:https";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { parse } from "yaml";
import { annexBin } from "../support/checkout.ts";
import { type Dev, startDev } from "../support/dev.ts";
import { eventually } from "../support/eventually.ts";
import { runKubectl } from "../support/kubectl.ts";
import { type Finished, run } from "../support/run.ts";

const folder = mkdtempSync(join(tmpdir(), "annex-e2e-"));
after(() => rmSync(folder, { recursive: true, force: true }));

const annex = (...args: string[]): Promise<Finished> => run(process.execPath, [annexBin, ...args]);
const widget = (name: string) =>
  `apiVersion: example.annex.dev/v1\nkind: Widget\nmetadata: {name: ${name}}\nspec: {color: red}\n`;

describe("annex dev", () => {
  let dev: Dev;
  const kubectl = (...args: string[]) => runKubectl(args, dev);
  before(async () => {
    dev = await startDev({ data: join(folder, "dev") });
  });
  after(async () => {
    await dev.stop();
  });

  test("says where it listens, what it serves and what to try; ready comes last", () => {
    const lines = dev.stdout().trimEnd().split("\n");
    assert.ok(lines.includes(`listening on ${dev.url}, data in ${dev.data}`));
    assert.ok(lines.some((line) => /^ {2}example\.annex\.dev: .*Widget \(/.test(line)));
    assert.ok(lines.some((line) => line.startsWith(`try: kubectl --kubeconfig ${dev.kubeconfig} get `)));
    assert.match(lines.at(-1) ?? "", /^ready https:\/\/127\.0\.0\.1:\d+ with \d+ resources$/);
  });

  test("writes a kubeconfig that only its owner may read, and that kubectl takes", async () => {
    assert.equal(statSync(dev.kubeconfig).mode & 0o777, 0o600);
    assert.equal(statSync(join(dev.data, "pki")).mode & 0o777, 0o700);
    const config = parse(readFileSync(dev.kubeconfig, "utf8"));
    assert.equal(config.clusters[0].cluster.server, dev.url);
    const admin = new X509Certificate(Buffer.from(config.users[0].user["client-certificate-data"], "base64"));
    assert.equal(admin.subject, "O=system:masters\nCN=annex-admin");
    const { code, stdout, stderr } = await kubectl("api-resources", "-o", "name");
    assert.deepEqual([code, stderr], [0, ""]);
    assert.match(stdout, /^widgets\.example\.annex\.dev$/m);
  });

  test("starts a killed store again, with all that was acknowledged; meanwhile 503 with Retry-After", async () => {
    const made = await runKubectl(["create", "-f", "-"], { ...dev, stdin: widget("kept") });
    assert.equal(made.code, 0, made.stderr);
    const killed = dev.storePid();
    process.kill(killed, "SIGKILL");
    const seen = new Set<string>();
    const path = "/apis/example.annex.dev/v1/namespaces/default/widgets/kept";
    // Until the new process answers; each failure on the way is the one that clients know how to wait for.
    for (const until = performance.now() + 30_000; performance.now() < until; ) {
      const { status, retryAfter } = await get(dev, path);
      seen.add(`${status} ${retryAfter ?? ""}`.trim());
      if (status === 200 && dev.storePid() !== killed) break;
    }
    assert.ok(seen.has("200"), [...seen].join());
    for (const one of seen) assert.match(one, /^(200|503 \d+)$/);
    assert.match(dev.stderr(), /^annex dev: the store ended \(killed by SIGKILL\); it is started again in \d+ ms$/m);
  });

  test("drains and exits 0 on a signal; a second run finds certificates and objects as they were", async () => {
    const kept = ["pki/ca.crt", "pki/server.crt", "pki/admin.crt"].map((file) => join(dev.data, file));
    const before = kept.map((file) => readFileSync(file, "utf8"));
    const store = dev.storePid();
    assert.equal(await dev.stop(), 0);
    assert.throws(() => process.kill(store, 0), { code: "ESRCH" });
    dev = await startDev({ data: join(folder, "dev") });
    assert.deepEqual(
      kept.map((file) => readFileSync(file, "utf8")),
      before,
    );
    assert.equal((await kubectl("get", "widget", "kept", "-o", "name")).stdout, "widget.example.annex.dev/kept\n");
  });

  test("ends its store when it is killed itself", async () => {
    const store = dev.storePid();
    process.kill(dev.pid, "SIGKILL");
    await dev.ended;
    await eventually(() => !isAlive(store), "the store has ended");
    dev = await startDev({ data: join(folder, "dev") });
  });
});

describe("annex dev that can't start", () => {
  test("names file, line and field of a malformed definition and exits 2", async () => {
    const file = join(folder, "broken.yaml");
    writeFileSync(file, "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nspec:\n  group: 5\n");
    const { code, stderr, stdout } = await annex("dev", "--port", "0", "--data", join(folder, "a"), "--crds", file);
    assert.equal(code, 2);
    assert.equal(stdout, "");
    assert.ok(stderr.startsWith(`${file}:`), stderr);
    assert.match(stderr, /:4: spec\.group: /);
  });

  test("says that a port is in use and exits 1", async (t) => {
    const server = createServer().listen(0, "127.0.0.1");
    t.after(() => server.close());
    await once(server, "listening");
    const { port } = server.address() as { port: number };
    const { code, stderr } = await annex("dev", "--port", String(port), "--data", join(folder, "b"));
    assert.equal(code, 1);
    assert.equal(stderr, `annex dev: 127.0.0.1:${port} is in use by another process\n`);
  });

  test("says that its folder can't be used and exits 1", async () => {
    writeFileSync(join(folder, "file"), "");
    const data = join(folder, "file", "data");
    const { code, stderr } = await annex("dev", "--port", "0", "--data", data);
    assert.equal(code, 1);
    assert.match(stderr, new RegExp(`^annex dev: the data folder ${data} can't be used: ENOTDIR: .*\n$`));
  });

  test("takes a folder whose path is too long for a socket", async () => {
    const data = join(folder, "x".repeat(100));
    mkdirSync(data);
    const dev = await startDev({ data, store: "memory" });
    assert.match(
      dev.stdout(),
      new RegExp(`^store memory at unix:${tmpdir()}/annex-[^/]+/store\\.sock, process \\d+$`, "m"),
    );
    assert.equal(await dev.stop(), 0);
  });
});

test("annex gateway serves a store that runs elsewhere, and drains on a signal", async (t) => {
  // A dev run lends its certificates and its store.
  const dev = await startDev({ data: join(folder, "lender"), store: "memory" });
  t.after(() => dev.stop());
  const file = join(folder, "gateway.yaml");
  writeFileSync(
    file,
    `apiVersion: gateway.annex.dev/v1alpha1
kind: GatewayConfiguration
listen: {host: 127.0.0.1, port: 0, certFile: lender/pki/server.crt, keyFile: lender/pki/server.key}
authentication: {clientCAFile: lender/pki/ca.crt}
stores: [{name: lent, address: "unix:lender/store.sock", protocol: connect}]
`,
  );
  const child = spawn(process.execPath, [annexBin, "gateway", "--config", file], {
    stdio: ["ignore", "pipe", "ignore"],
  });
  const ended = once(child, "close");
  const [first] = (await once(child.stdout.setEncoding("utf8"), "data")) as [string];
  const url = /^ready (https:\S+)\n$/.exec(first)?.[1] ?? "";
  const isServed = async () => (await get({ ...dev, url }, "/apis/example.annex.dev/v1/widgets")).status === 200;
  await eventually(isServed, "the lent store is served");
  child.kill("SIGTERM");
  assert.deepEqual(await ended, [0, null]);
});

/** One GET as the kubeconfig's user. */
async function get(
  { url, kubeconfig }: Pick<Dev, "url" | "kubeconfig">,
  path: string,
): Promise<{ status: number; retryAfter: string | undefined }> {
  const config = parse(readFileSync(kubeconfig, "utf8"));
  const pem = (text: string) => Buffer.from(text, "base64");
  const agent = new Agent({
    ca: pem(config.clusters[0].cluster["certificate-authority-data"]),
    cert: pem(config.users[0].user["client-certificate-data"]),
    key: pem(config.users[0].user["client-key-data"]),
  });
  const [response] = await once(request(new URL(path, url), { agent }).end(), "response");
  response.resume();
  await once(response, "end");
  return { status: response.statusCode, retryAfter: response.headers["retry-after"] };
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
