/**
 * kubectl and server-side apply, each command a test; run against Annex and against kube-apiserver.
 *
 * That kube-apiserver passes shows that what is expected here is right.
 */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { runKubectl } from "../support/kubectl.ts";
import type { Host } from "./kubectl-commands.ts";

const resource = "widgets.example.annex.dev";
const typed = "widget.example.annex.dev/a";

const manifest = (spec: object, labels?: object) =>
  JSON.stringify({
    apiVersion: "example.annex.dev/v1",
    kind: "Widget",
    metadata: { name: "a", ...(labels === undefined ? {} : { labels }) },
    spec,
  });

interface Entry {
  readonly manager: string;
  readonly operation: string;
  readonly subresource?: string;
  readonly fieldsV1: object;
}

let namespaces = 0;

/** Declares the tests. */
export function describeKubectlApply(host: () => Host): void {
  const inNamespace = (name: string, body: (kubectl: Kubectl) => Promise<void>) =>
    test(name, async () => {
      const namespace = `apply-${++namespaces}`;
      if (host().hasNamespaces) {
        const { code, stderr } = await runKubectl(["create", "namespace", namespace], host());
        assert.equal(code, 0, stderr);
      }
      await body(kubectlIn(host(), namespace));
    });

  describe("kubectl and server-side apply", { concurrency: 2 }, () => {
    inNamespace("apply --server-side: two managers, a conflict, --force-conflicts", async (kubectl) => {
      const said = await kubectl.feed(
        manifest({ color: "red", replicas: 2 }),
        "apply",
        "--server-side",
        "--field-manager=alice",
      );
      assert.equal(said, `${typed} serverside-applied\n`);
      await kubectl.feed(manifest({ color: "red", size: 3 }), "apply", "--server-side", "--field-manager=bob");
      const args = ["apply", "--server-side", "--field-manager=bob", "-f", "-"];
      const { code, stderr } = await kubectl.run(args, manifest({ color: "blue", replicas: 5 }));
      assert.equal(code, 1);
      assert.match(
        stderr,
        /^error: Apply failed with 2 conflicts: conflicts with "alice":\n- \.spec\.color\n- \.spec\.replicas\n/,
      );
      assert.match(stderr, /--force-conflicts/);
      await kubectl.feed(
        manifest({ color: "blue" }),
        "apply",
        "--server-side",
        "--field-manager=bob",
        "--force-conflicts",
      );
      assert.deepEqual(await kubectl.owners(), [
        ["alice", "Apply", undefined, { "f:spec": { "f:replicas": {} } }],
        ["bob", "Apply", undefined, { "f:spec": { "f:color": {} } }],
      ]);
      assert.deepEqual((await kubectl.read()).spec, { color: "blue", replicas: 2 });
    });

    inNamespace("apply --server-side twice says the same and changes nothing", async (kubectl) => {
      const text = manifest({ color: "red" });
      await kubectl.feed(text, "apply", "--server-side");
      const before = (await kubectl.read()).metadata.resourceVersion;
      assert.equal(await kubectl.feed(text, "apply", "--server-side"), `${typed} serverside-applied\n`);
      assert.equal((await kubectl.read()).metadata.resourceVersion, before);
    });

    inNamespace("apply --server-side --dry-run=server keeps nothing", async (kubectl) => {
      const said = await kubectl.feed(manifest({ color: "red" }), "apply", "--server-side", "--dry-run=server");
      assert.equal(said, `${typed} serverside-applied (server dry run)\n`);
      assert.equal((await kubectl.run(["get", resource, "a"])).code, 1);
    });

    inNamespace("diff --server-side", async (kubectl) => {
      await kubectl.feed(manifest({ color: "red", tags: ["x"] }), "apply", "--server-side");
      const same = await kubectl.run(["diff", "--server-side", "-f", "-"], manifest({ color: "red", tags: ["x"] }));
      assert.deepEqual([same.code, same.stdout], [0, ""], same.stderr);
      const other = await kubectl.run(["diff", "--server-side", "-f", "-"], manifest({ color: "blue" }));
      assert.equal(other.code, 1, other.stderr);
      for (const line of ["-  color: red", "+  color: blue", "-  tags:"])
        assert.ok(other.stdout.includes(`\n${line}`), other.stdout);
    });

    inNamespace("apply, then apply --server-side: kubectl takes over what it applied", async (kubectl) => {
      await kubectl.feed(manifest({ color: "red", tags: ["x", "y"] }), "apply");
      assert.deepEqual(
        (await kubectl.owners()).map(([manager, operation]) => [manager, operation]),
        [["kubectl-client-side-apply", "Update"]],
      );
      await kubectl.feed(manifest({ color: "blue", tags: ["x"] }), "apply", "--server-side");
      const { spec, metadata } = await kubectl.read();
      assert.deepEqual(spec, { color: "blue", replicas: 1, tags: ["x"] });
      const annotation = metadata.annotations["kubectl.kubernetes.io/last-applied-configuration"];
      assert.deepEqual(JSON.parse(annotation).spec, { color: "blue", tags: ["x"] });
      // The annotation stays with a manager of its own, so that kubectl goes on to look at it.
      assert.deepEqual(await kubectl.owners(), [
        ["kubectl", "Apply", undefined, { "f:spec": { "f:color": {}, "f:tags": { 'v:"x"': {} } } }],
        [
          "kubectl-last-applied",
          "Apply",
          undefined,
          { "f:metadata": { "f:annotations": { "f:kubectl.kubernetes.io/last-applied-configuration": {} } } },
        ],
      ]);
      await kubectl.feed(manifest({ color: "green" }), "apply", "--server-side");
      assert.deepEqual((await kubectl.read()).spec, { color: "green", replicas: 1 });
    });

    inNamespace("label, patch and scale, each under its manager", async (kubectl) => {
      await kubectl.feed(manifest({ color: "red" }), "create", "--field-manager=carl");
      await kubectl.ok("label", resource, "a", "x=1", "--field-manager=lara");
      await kubectl.ok("patch", resource, "a", "--type=merge", "-p", '{"spec":{"size":4}}');
      await kubectl.ok(
        "patch",
        resource,
        "a",
        "--subresource=status",
        "--type=merge",
        "-p",
        '{"status":{"phase":"up"}}',
      );
      await kubectl.ok("scale", resource, "a", "--replicas=3");
      const owners = await kubectl.owners();
      assert.deepEqual(owners.map(([manager, operation, subresource]) => [manager, operation, subresource]).sort(), [
        ["carl", "Update", undefined],
        ["kubectl", "Update", "scale"],
        ["kubectl-patch", "Update", undefined],
        ["kubectl-patch", "Update", "status"],
        ["lara", "Update", undefined],
      ]);
      const { code, stderr } = await kubectl.run(
        ["apply", "--server-side", "-f", "-"],
        manifest({ color: "red", replicas: 9 }),
      );
      assert.equal(code, 1);
      assert.match(
        stderr,
        /conflict with "kubectl" with subresource "scale" using example\.annex\.dev\/v1: \.spec\.replicas/,
      );
    });

    inNamespace("edit, under a manager and under kubectl's own for it", async (kubectl) => {
      await kubectl.feed(manifest({ color: "red", size: 1 }), "create", "--field-manager=carl");
      const edit = async (change: string, ...args: string[]) => {
        const env = { ...process.env, KUBE_EDITOR: `sed -i ${change}` };
        const { code, stdout, stderr } = await kubectl.run(["edit", resource, "a", ...args], undefined, env);
        assert.deepEqual([code, stdout], [0, `${typed} edited\n`], stderr);
      };
      await edit("s/color:.red/color:\\ blue/", "--field-manager=ed");
      await edit("s/size:.1/size:\\ 2/");
      assert.deepEqual(await kubectl.owners(), [
        ["carl", "Update", undefined, { "f:spec": { ".": {}, "f:replicas": {} } }],
        ["ed", "Update", undefined, { "f:spec": { "f:color": {} } }],
        ["kubectl-edit", "Update", undefined, { "f:spec": { "f:size": {} } }],
      ]);
      const args = ["apply", "--server-side", "-f", "-"];
      const { code, stderr } = await kubectl.run(args, manifest({ color: "red" }));
      assert.equal(code, 1);
      assert.match(stderr, /conflict with "ed" using example\.annex\.dev\/v1: \.spec\.color/);
    });

    inNamespace("get -o yaml shows managedFields when asked", async (kubectl) => {
      await kubectl.feed(manifest({ color: "red" }), "apply", "--server-side");
      assert.ok(!(await kubectl.ok("get", resource, "a", "-o", "yaml")).includes("managedFields"));
      const shown = await kubectl.ok("get", resource, "a", "-o", "yaml", "--show-managed-fields");
      assert.match(
        shown,
        /managedFields:\n {2}- apiVersion: example\.annex\.dev\/v1\n {4}fieldsType: FieldsV1\n {4}fieldsV1:\n {6}f:spec:\n {8}f:color: \{\}\n {4}manager: kubectl\n {4}operation: Apply\n {4}time: /,
      );
    });
  });
}

/** Manager, operation, subresource, fields. */
type Owner = [string, string, string | undefined, object];

interface Kubectl {
  run(args: readonly string[], stdin?: string, env?: NodeJS.ProcessEnv): ReturnType<typeof runKubectl>;
  /** @returns stdout. */
  ok(...args: string[]): Promise<string>;
  feed(stdin: string, ...args: string[]): Promise<string>;
  // biome-ignore lint/suspicious/noExplicitAny: an object as it comes, whose fields the tests know.
  read(): Promise<any>;
  owners(): Promise<Owner[]>;
}

function kubectlIn(host: Host, namespace: string): Kubectl {
  const run: Kubectl["run"] = (args, stdin, env) =>
    runKubectl(["-n", namespace, ...args], {
      kubeconfig: host.kubeconfig,
      ...(stdin === undefined ? {} : { stdin }),
      ...(env === undefined ? {} : { env }),
    });
  const passed = async (args: readonly string[], stdin?: string) => {
    const { code, stdout, stderr } = await run(args, stdin);
    assert.equal(code, 0, `kubectl ${args.join(" ")}: ${stderr}`);
    return stdout;
  };
  const read = async () => JSON.parse(await passed(["get", resource, "a", "-o", "json", "--show-managed-fields"]));
  return {
    run,
    ok: (...args) => passed(args),
    feed: (stdin, ...args) => passed([...args, "-f", "-"], stdin),
    read,
    async owners() {
      const { managedFields } = (await read()).metadata as { managedFields: Entry[] };
      const owners = managedFields.map((one): Owner => [one.manager, one.operation, one.subresource, one.fieldsV1]);
      // As they come they are in the order of their times.
      return owners.sort(([a], [b]) => (a < b ? -1 : Number(a > b)));
    },
  };
}
