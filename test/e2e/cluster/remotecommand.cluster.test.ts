/** client-go's remotecommand executor, against a streaming subresource of a store. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { Scope, SubresourceKind, Verb } from "../../../gen/annex/store/v1/catalog_pb.js";
import { createMemoryStore, memoryCapabilities } from "../../../stores/memory/store.ts";
import { forbidden, type Store, type StreamCall, type StreamOutput, serveStore } from "../../../stores/sdk/sdk.ts";
import { root } from "../../support/checkout.ts";
import { startTestGateway, type TestGateway } from "../../support/gateway.ts";
import { runKubectl } from "../../support/kubectl.ts";
import { run } from "../../support/run.ts";
import { startAggregated } from "./aggregated.ts";
import { startCluster } from "./cluster.ts";
import { buildGoProgram } from "./go-program.ts";

const group = "shells.annex.dev";
const folder = mkdtempSync(join(tmpdir(), "annex-remotecommand-"));
let program: string;
const object = { apiVersion: `${group}/v1`, kind: "Shell", metadata: { name: "a" } };
let store: Store;
let gateway: TestGateway;

before(async () => {
  program = await buildGoProgram("remotecommand", folder);
  const shells = {
    ...{ group, plural: "shells", kind: "Shell", scope: Scope.NAMESPACED, storageVersion: "v1" },
    versions: [{ name: "v1", served: true }],
    verbs: [Verb.GET, Verb.CREATE],
    capabilities: [...memoryCapabilities],
    subresources: [{ name: "exec", kind: SubresourceKind.STREAM, httpMethods: ["GET", "POST"] }],
  };
  store = { ...createMemoryStore([shells]), stream: async (call) => ({ output: shell(call) }) };
  gateway = await startTestGateway({ stores: { shells: store } });
  const made = await gateway.ask(`/apis/${group}/v1/namespaces/ns/shells`, { method: "POST", body: object });
  assert.equal(made.status, 201, made.text);
});
after(async () => {
  await gateway.stop();
  rmSync(folder, { recursive: true, force: true });
});

/** A few commands, by the query. */
async function* shell({ query, input }: StreamCall): AsyncGenerator<StreamOutput, number> {
  const [command, argument = ""] = query["command"] ?? [];
  switch (command) {
    case "wc": {
      let bytes = 0;
      for await (const frame of input) {
        if ("data" in frame) bytes += frame.data.length;
        if ("end" in frame) break;
      }
      yield { data: Buffer.from(`${bytes}\n`) };
      return 0;
    }
    case "size":
      for await (const frame of input) {
        if (!("width" in frame)) continue;
        yield { data: Buffer.from(`${frame.width} by ${frame.height}\n`) };
        return 0;
      }
      return 1;
    case "yes":
      for (let made = 0; made < Number(argument); made += 65_536) yield { data: Buffer.alloc(65_536, "y\n") };
      return 0;
    case "complain":
      yield { channel: 2, data: Buffer.from("it hurts\n") };
      return Number(argument);
    default:
      throw forbidden(`${command} may not be run`);
  }
}

interface Target {
  readonly url: string;
  readonly kubeconfig: string;
}

async function exec(
  protocols: string,
  command: readonly string[],
  { stdin = "", args = [] as string[], target = undefined as Target | undefined } = {},
) {
  const query = new URLSearchParams(command.map((word): [string, string] => ["command", word]));
  for (const name of ["stdin", "stdout", "stderr"]) query.set(name, "true");
  const { url: server, kubeconfig } = target ?? { url: gateway.url, kubeconfig: await gateway.kubeconfig() };
  const url = `${server}/apis/${group}/v1/namespaces/ns/shells/a/exec?${query}`;
  const all = ["-kubeconfig", kubeconfig, "-url", url, "-protocols", protocols, ...args];
  return await run(program, all, { stdin });
}

const v4 = "v4.channel.k8s.io";
const v5 = "v5.channel.k8s.io";

for (const protocol of [v4, v5, `${v5},${v4}`]) {
  test(`${protocol}: stdout, stderr and the exit code are those of the command`, async () => {
    const { code, stdout, stderr } = await exec(protocol, ["complain", "42"]);
    assert.deepEqual([code, stdout], [42, ""]);
    assert.match(stderr, /^it hurts\ncommand terminated with exit code 42\n$/);
    const fine = await exec(protocol, ["complain", "0"]);
    assert.deepEqual(fine, { code: 0, stdout: "", stderr: "it hurts\n" });
  });

  test(`${protocol}: the terminal's size`, async () => {
    const { code, stdout, stderr } = await exec(protocol, ["size"], { args: ["-tty"] });
    assert.deepEqual([code, stdout], [0, "120 by 40\n"], stderr);
  });
}

test("v5: the end of stdin is told, and all of it was read", async () => {
  const { code, stdout, stderr } = await exec(v5, ["wc"], { stdin: "x".repeat(5_000_000) });
  assert.deepEqual([code, stdout], [0, "5000000\n"], stderr);
});

test("16 MB of stdout arrive whole", async () => {
  const { code, stdout, stderr } = await exec(v5, ["yes", String(16 * 1024 * 1024)]);
  assert.deepEqual([code, stdout.length], [0, 16 * 1024 * 1024], stderr);
  assert.ok(stdout.startsWith("y\ny\n"));
});

test("what the store refuses is the executor's error, in its words", async () => {
  const { code, stderr } = await exec(v5, ["rm"]);
  assert.equal(code, 125);
  assert.match(stderr, /shells\.shells\.annex\.dev "a" is forbidden: rm may not be run/);
});

test("through kube-apiserver's aggregation layer: streams, exit code, the end of stdin", async (t) => {
  const cluster = await startCluster();
  t.after(async () => await cluster.stop());
  const served = await serveStore(store, { listen: `unix:${join(folder, "s.sock")}`, log: () => {} });
  t.after(async () => await served.stop());
  const stores = [{ name: "shells", address: served.address }];
  const crds = [join(root, "stores/sql/examples")];
  const annex = await startAggregated(cluster, { crds, config: () => ({ stores }) });
  t.after(async () => await annex.stop());
  const created = await runKubectl(["create", "namespace", "ns"], cluster);
  assert.equal(created.code, 0, created.stderr);
  const shown = await runKubectl(["get", "shell", "a", "-n", "ns", "-o", "name"], cluster);
  assert.equal(shown.stdout, `shell.${group}/a\n`, shown.stderr);
  const target = { url: cluster.url, kubeconfig: cluster.kubeconfig };
  const hurt = await exec(`${v5},${v4}`, ["complain", "42"], { target });
  assert.deepEqual([hurt.code, hurt.stdout, hurt.stderr.split("\n")[0]], [42, "", "it hurts"]);
  const counted = await exec(v5, ["wc"], { stdin: "x".repeat(1_000_000), target });
  assert.deepEqual([counted.code, counted.stdout], [0, "1000000\n"], counted.stderr);
  const sized = await exec(v5, ["size"], { args: ["-tty"], target });
  assert.deepEqual([sized.code, sized.stdout], [0, "120 by 40\n"], sized.stderr);
});
