import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { StatusError } from "../apimachinery/status.ts";
import { KubeError, type KubeRequest } from "../kubeclient/kubeclient.ts";
import type { AdmissionRequest } from "./admission.ts";
import { createNamespaceLifecycle } from "./namespace-lifecycle.ts";

const active = (name: string) => ({ metadata: { name, resourceVersion: "1" }, status: { phase: "Active" } });
const going = (name: string) => ({ metadata: { name, resourceVersion: "1" }, status: { phase: "Terminating" } });
const write = (namespace: string, more: Partial<AdmissionRequest> = {}): AdmissionRequest => ({
  operation: "CREATE",
  group: "g.io",
  plural: "things",
  namespace,
  name: "n",
  ...more,
});

/** Follows a cluster whose watch knows `followed`, undefined for one that doesn't answer, and which knows `there` itself. */
async function start(
  t: TestContext,
  followed: readonly object[] | undefined,
  there: readonly { metadata: { name: string } }[] = [],
) {
  const asked: string[] = [];
  const paused: number[] = [];
  const lifecycle = createNamespaceLifecycle({
    client: {
      async request({ path }: KubeRequest) {
        if (path === "/api/v1/namespaces") {
          if (followed === undefined) return await new Promise<never>(() => {});
          return { items: [...followed], metadata: { resourceVersion: "1" } } as never;
        }
        asked.push(path);
        const found = there.find(({ metadata }) => path.endsWith(`/${metadata.name}`));
        if (found === undefined) throw new KubeError("there is none", path.endsWith("/odd") ? 500 : 404);
        return found as never;
      },
      async *lines({ signal }: KubeRequest) {
        await new Promise((_resolve, reject) => signal?.addEventListener("abort", reject));
        yield "";
      },
    },
    random: () => 0,
    log: { info: () => {}, warn: () => {} },
    pause: async (ms) => void paused.push(ms),
  });
  t.after(() => lifecycle.close());
  // The list is there.
  await new Promise<void>((done) => setImmediate(done));
  return { admit: lifecycle.admit, asked, paused };
}

async function statusOf(work: Promise<void>) {
  try {
    await work;
  } catch (error) {
    assert.ok(error instanceof StatusError);
    return error.status;
  }
  return undefined;
}

test("admit() lets writes into namespaces that are there pass, and asks nobody", async (t) => {
  const { admit, asked } = await start(t, [active("a")]);
  await admit(write("a"));
  await admit(write("a", { operation: "UPDATE" }));
  await admit(write("", { name: "of-the-cluster" }));
  assert.deepEqual(asked, []);
});

test("admit() refuses a creation in a namespace that is going, in kube-apiserver's words; an update passes", async (t) => {
  const { admit } = await start(t, [going("a")]);
  assert.deepEqual(await statusOf(admit(write("a"))), {
    code: 403,
    reason: "Forbidden",
    message: 'things.g.io "n" is forbidden: unable to create new content in namespace a because it is being terminated',
    details: {
      name: "n",
      group: "g.io",
      kind: "things",
      causes: [
        {
          reason: "NamespaceTerminating",
          message: "namespace a is being terminated",
          field: "metadata.namespace",
        },
      ],
    },
  });
  assert.equal((await statusOf(admit(write("a", { name: "" }))))?.details?.name, "Unknown");
  await admit(write("a", { operation: "UPDATE" }));
});

test("admit() waits a moment for a namespace that isn't known, then asks for it", async (t) => {
  const { admit, asked, paused } = await start(t, [active("a")], [active("new"), going("old")]);
  await admit(write("new"));
  assert.deepEqual([asked, paused], [["/api/v1/namespaces/new"], [50]]);
  assert.equal((await statusOf(admit(write("old"))))?.code, 403);
  const missing = await statusOf(admit(write("missing")));
  assert.deepEqual([missing?.code, missing?.message], [404, 'namespaces "missing" not found']);
  assert.equal((await statusOf(admit(write("missing", { operation: "UPDATE" }))))?.code, 404);
  assert.equal((await statusOf(admit(write("odd"))))?.reason, "InternalError");
});

test("admit() refuses writes while namespaces aren't known, after ten seconds of waiting", async (t) => {
  const { admit, paused } = await start(t, undefined);
  const status = await statusOf(admit(write("a")));
  assert.deepEqual(
    [status?.code, status?.message],
    [403, 'things.g.io "n" is forbidden: not yet ready to handle request'],
  );
  assert.deepEqual(paused, [10_000]);
});
