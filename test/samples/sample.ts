/**
 * What each sample store must do, whatever its language: build, pass its own tests and the
 * certifier's, and serve kubectl behind a gateway over mutual TLS.
 *
 * Where its toolchain is missing the tests are skipped, and say so.
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { Code, ConnectError, createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import {
  createAuthority,
  issueClientCertificate,
  issueServerCertificate,
  writePrivate,
} from "../../gateway/certificates/certificates.ts";
import { CatalogService } from "../../gen/annex/store/v1/catalog_pb.js";
import { StoreService } from "../../gen/annex/store/v1/store_pb.js";
import { Health, HealthCheckResponse_ServingStatus as Status } from "../../gen/grpc/health/v1/health_pb.js";
import { ServerReflection } from "../../gen/grpc/reflection/v1/reflection_pb.js";
import { annexBin, root } from "../support/checkout.ts";
import { type GatewayProcess, startGatewayProcess } from "../support/gateway-process.ts";
import { runKubectl } from "../support/kubectl.ts";
import { type Finished, run } from "../support/run.ts";
import { type StoreProcess, startStoreProcess } from "../support/store-process.ts";

/** A sample. */
export interface Sample {
  /** Of its language, and of its folder in stores/samples. */
  readonly name: string;
  /** A command that ends well where the toolchain is there. */
  readonly toolchain: readonly string[];
  /** What is run in the folder, in order: whatever fails, fails the sample. */
  readonly build: readonly (readonly string[])[];
  /** Its own tests, run in the folder. */
  readonly test: readonly string[];
  /** What starts the store, without its flags. */
  readonly command: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

/** Where builds and what they download are kept. */
export const sampleCache = join(root, ".cache/samples");
/** Cold, on a busy machine, Rust takes ten minutes. */
const buildTimeoutMs = 20 * 60_000;
/** The certifier takes less than a minute by itself; of a busy machine it has a tenth. */
const certifyTimeoutMs = 9 * 60_000;

/** Checks a sample. */
export async function describeSample(sample: Sample): Promise<void> {
  const folder = join(root, "stores/samples", sample.name);
  const env = { ...process.env, ...sample.env };
  const inFolder = ([command = "", ...args]: readonly string[]) =>
    run(command, args, { cwd: folder, env, timeoutMs: buildTimeoutMs });
  const [tool = "", ...asked] = sample.toolchain;
  if (spawnSync(tool, asked, { cwd: folder, env }).status !== 0) {
    const skip = `\`${sample.toolchain.join(" ")}\` fails: its toolchain is not here`;
    test(`the sample in ${sample.name}`, { skip }, () => {});
    return;
  }
  mkdirSync(sampleCache, { recursive: true });
  describe(`the sample in ${sample.name}`, () => {
    const scratch = mkdtempSync(join(tmpdir(), "annex-sample-"));
    const [command = "", ...args] = sample.command;
    const start = (...flags: string[]) => startStoreProcess({ command, args: [...args, ...flags], cwd: folder, env });
    before(async () => {
      for (const step of sample.build) assertWell(step, await inFolder(step));
    });
    after(() => rmSync(scratch, { recursive: true, force: true }));

    test("passes its own tests", async () => {
      assertWell(sample.test, await inFolder(sample.test));
    });

    test("keeps the contract", async () => {
      const certify = [annexBin, "certify", "--no-chaos", "--", ...sample.command];
      const result = await run(process.execPath, certify, { cwd: folder, env, timeoutMs: certifyTimeoutMs });
      assert.equal(result.code, 0, result.stdout);
    });

    test("says that it serves and what, and ends its watches as it stops", async () => {
      const store = await start("--listen", `unix:${join(scratch, "store.sock")}`);
      const transport = createGrpcTransport({
        baseUrl: "http://localhost",
        nodeOptions: { path: store.address.slice("unix:".length) },
      });
      const { status } = await createClient(Health, transport).check({});
      assert.equal(status, Status.SERVING);
      assert.ok((await servicesOf(transport)).includes(StoreService.typeName));
      const { resources } = await createClient(CatalogService, transport).describe({});
      const [resource = assert.fail("it describes nothing")] = resources;
      const { group, plural, storageVersion: version } = resource;
      const watch = createClient(StoreService, transport).watch({ resource: { group, plural, version } });
      const frames = watch[Symbol.asyncIterator]();
      assert.equal((await frames.next()).value?.frame.case, "started");
      const since = performance.now();
      const stopped = store.stop();
      await assert.rejects(
        async () => {
          for (let next = await frames.next(); next.done !== true; next = await frames.next());
        },
        (error) => ConnectError.from(error).code === Code.Unavailable,
      );
      assert.equal(await stopped, 0, store.stderr());
      assert.ok(performance.now() - since < 4_000, "it waited for a watch");
    });

    describeKubectl(start, scratch);
  });
}

/** Serves kubectl behind a gateway that shows a certificate, and that only. */
function describeKubectl(start: (...flags: string[]) => Promise<StoreProcess>, scratch: string): void {
  let store: StoreProcess;
  let gateway: GatewayProcess;
  const kubectl = (args: readonly string[], stdin = "") => runKubectl(args, { ...gateway, stdin });
  const file = (name: string, text: string) => {
    writePrivate(join(scratch, name), text);
    return join(scratch, name);
  };

  before(async () => {
    const authority = await createAuthority("sample-ca");
    const server = await issueServerCertificate(authority, { names: ["localhost"], ips: ["127.0.0.1"] });
    const client = await issueClientCertificate(authority, { name: "gateway", groups: [] });
    const caFile = file("ca.crt", authority.cert);
    const pair = ["--tls-cert", file("tls.crt", server.cert), "--tls-key", file("tls.key", server.key)];
    store = await start("--listen", "127.0.0.1:0", "--tls-ca", caFile, ...pair);
    const tls = { caFile, certFile: file("client.crt", client.cert), keyFile: file("client.key", client.key) };
    const serves = ["notes.samples.annex.dev", "notebooks.samples.annex.dev"];
    gateway = await startGatewayProcess({ stores: [{ name: "sample", address: store.address, tls }], serves });
  });
  after(async () => {
    await gateway.stop();
    assert.equal(await store.stop(), 0, store.stderr());
  });

  test("refuses who shows no certificate", async () => {
    const nodeOptions = { rejectUnauthorized: false };
    const transport = createGrpcTransport({ baseUrl: `https://${store.address}`, nodeOptions });
    await assert.rejects(async () => await createClient(Health, transport).check({}));
  });

  test("serves kubectl: create, get, apply of a patch, watch, delete", async () => {
    const note = (title: string) =>
      JSON.stringify({
        apiVersion: "samples.annex.dev/v1",
        kind: "Note",
        metadata: { name: "first" },
        spec: { title },
      });
    const well = async (args: readonly string[], stdin = "") => {
      const result = await kubectl(args, stdin);
      assert.equal(result.code, 0, result.stderr);
      return result.stdout;
    };
    await well(["create", "-f", "-"], note("One"));
    assert.match(await well(["get", "notes"]), /^NAME +TITLE\nfirst +One\n$/);
    assert.match((await kubectl(["create", "-f", "-"], note("One"))).stderr, /\(AlreadyExists\)/);
    assert.match((await kubectl(["replace", "-f", "-"], note("x".repeat(81)))).stderr, /spec.title: Too long/);
    await well(["patch", "note", "first", "--type=merge", "-p", '{"spec":{"title":"Two"}}']);
    await well(["label", "note", "first", "seen=yes"]);
    const seen = await well(["get", "notes", "-A", "-l", "seen=yes", "-o", "jsonpath={.items[*].spec}"]);
    assert.deepEqual(JSON.parse(seen), { pinned: false, title: "Two" });
    const waiting = kubectl(["wait", "--for=delete", "note/first", "--timeout=20s"]);
    await well(["delete", "note", "first"]);
    assert.equal((await waiting).code, 0);
    assert.match((await kubectl(["get", "note", "first"])).stderr, /\(NotFound\)/);
  });
}

/** Asks reflection, by its present name or by the older one, which some libraries know alone. */
async function servicesOf(transport: Parameters<typeof createClient>[1]): Promise<string[]> {
  const parent = { ...ServerReflection, typeName: "grpc.reflection.v1alpha.ServerReflection" };
  const { serverReflectionInfo } = ServerReflection.method;
  const methods = [{ ...serverReflectionInfo, parent }];
  const older = {
    ...parent,
    methods,
    method: { serverReflectionInfo: methods[0] },
  } as unknown as typeof ServerReflection;
  async function* requests() {
    yield { messageRequest: { case: "listServices" as const, value: "" } };
  }
  for (const service of [ServerReflection, older]) {
    try {
      for await (const { messageResponse } of createClient(service, transport).serverReflectionInfo(requests())) {
        if (messageResponse.case !== "listServicesResponse") continue;
        return messageResponse.value.service.map(({ name }) => name);
      }
    } catch (error) {
      if (ConnectError.from(error).code !== Code.Unimplemented) throw error;
    }
  }
  return [];
}

function assertWell(command: readonly string[], { code, stdout, stderr }: Finished): void {
  assert.equal(code, 0, `${command.join(" ")}\n${stdout}${stderr}`);
}
