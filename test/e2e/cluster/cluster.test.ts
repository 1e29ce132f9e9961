/** The control plane itself: what later tests take for granted. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { request } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { eventually } from "../../support/eventually.ts";
import { runKubectl } from "../../support/kubectl.ts";
import { buildBinaries } from "./binaries.ts";
import { type Cluster, startCluster } from "./cluster.ts";
import { startLeashed } from "./leashed.ts";

const folder = mkdtempSync(join(tmpdir(), "annex-cluster-test-"));
after(() => rmSync(folder, { recursive: true, force: true }));

describe("startCluster()", () => {
  let cluster: Cluster;
  const kubectl = async (...args: string[]) => {
    const { code, stdout, stderr } = await runKubectl(args, cluster);
    assert.equal(code, 0, stderr);
    return stdout;
  };
  before(async () => {
    cluster = await startCluster();
  });
  after(async () => {
    await cluster.stop();
  });

  test("runs the release that go.mod names", async () => {
    const { gitVersion } = JSON.parse(await kubectl("get", "--raw", "/version"));
    assert.equal(gitVersion, cluster.version);
    assert.match(gitVersion, /^v1\.36\.\d+$/);
  });

  test("authorizes by RBAC: who shows no certificate may not read", async () => {
    const [response] = await once(
      request(new URL("/api/v1/namespaces", cluster.url), { ca: readFileSync(cluster.pki.ca) }).end(),
      "response",
    );
    response.resume();
    assert.equal(response.statusCode, 403);
    assert.equal(await kubectl("auth", "can-i", "*", "*", "--all-namespaces"), "yes\n");
  });

  test("tells servers behind it whom to trust as the front proxy", async () => {
    const name = "extension-apiserver-authentication";
    const { data } = JSON.parse(await kubectl("get", "configmap", "-n", "kube-system", name, "-o", "json"));
    assert.equal(data["requestheader-client-ca-file"], readFileSync(cluster.pki.frontProxyCa, "utf8"));
    assert.equal(data["requestheader-allowed-names"], JSON.stringify([cluster.frontProxyName]));
    assert.equal(data["requestheader-uid-headers"], '["X-Remote-Uid"]');
    assert.equal(data["client-ca-file"], readFileSync(cluster.pki.ca, "utf8"));
  });

  test("has controllers: a namespace goes with what is in it", async () => {
    await kubectl("create", "namespace", "full");
    await kubectl("create", "configmap", "-n", "full", "something");
    await kubectl("delete", "namespace", "full");
    assert.equal(await kubectl("get", "namespace", "full", "--ignore-not-found"), "");
  });
});

test("startCluster() finds kept data again", async () => {
  const dataDir = join(folder, "kept");
  const read = async (cluster: Cluster, ...args: string[]) => (await runKubectl(args, cluster)).stdout;
  const first = await startCluster({ dataDir, controllerManager: false });
  await read(first, "create", "configmap", "kept", "--from-literal=a=b");
  await first.stop();
  const second = await startCluster({ dataDir, controllerManager: false });
  assert.equal(await read(second, "get", "configmap", "kept", "-o", "jsonpath={.data.a}"), "b");
  await second.stop();
  assert.ok(existsSync(dataDir));
});

test("startCluster() says which program ended, with its last words", async () => {
  await assert.rejects(
    startCluster({ controllerManager: false, apiserverArgs: ["--no-such-flag"] }),
    /^Error: kube-apiserver ended:[\s\S]*unknown flag: --no-such-flag/,
  );
});

test("buildBinaries() builds nothing twice", async () => {
  const said: string[] = [];
  const { version, path } = await buildBinaries(undefined, (line) => said.push(line));
  assert.equal(said.length, 1);
  assert.match(said[0] ?? "", new RegExp(`^Kubernetes ${version} built in \\d+\\.\\d s \\(warm\\), in `));
  assert.ok(existsSync(path("kube-apiserver")));
});

test("startLeashed() ends its program on stop, and gives its code when it ends by itself", async () => {
  const options = (name: string) => ({ logFile: join(folder, `${name}.log`), cwd: folder });
  const long = startLeashed("sleep", ["sleep", "1000"], options("long"));
  await long.stop();
  assert.equal(await long.ended, 128 + 15);
  const short = startLeashed("sh", ["sh", "-c", "echo last words; exit 7"], options("short"));
  assert.equal(await short.ended, 7);
  assert.equal(short.tail(), "last words");
});

test("startLeashed() ends its program when the one who started it is killed", async () => {
  const module = fileURLToPath(new URL("./leashed.ts", import.meta.url));
  const code = `
    const { startLeashed } = await import(${JSON.stringify(module)});
    startLeashed("sh", ["sh", "-c", "echo $$ > pid; exec sleep 1000"], { logFile: "killed.log", cwd: process.cwd() });
    console.log("started");
    setInterval(() => {}, 1000);
  `;
  const parent = spawn(process.execPath, ["--input-type=module", "-e", code], {
    cwd: folder,
    stdio: ["ignore", "pipe", "inherit"],
  });
  await once(createInterface({ input: parent.stdout }), "line");
  const file = join(folder, "pid");
  await eventually(() => existsSync(file) && readFileSync(file, "utf8").endsWith("\n"), "it runs");
  const pid = Number(readFileSync(file, "utf8"));
  assert.ok(isAlive(pid));
  parent.kill("SIGKILL");
  await eventually(() => !isAlive(pid), "it has ended");
});

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
