/**
 * What kubectl does with a kind, each command a test; run against Annex and against kube-apiserver.
 *
 * That kube-apiserver passes shows that what is expected here is right. Each test has a namespace of
 * its own. What differs between kubectl's own versions is not looked at.
 */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { runKubectl } from "../support/kubectl.ts";
import { type KubectlProcess, startKubectl } from "../support/kubectl-process.ts";
import type { Finished } from "../support/run.ts";
import type { Subject } from "./subjects.ts";

/** A server that serves the subjects. */
export interface Host {
  readonly kubeconfig: string;
  /** Namespaces must be made before anything is put in them. */
  readonly hasNamespaces: boolean;
  /** Someone takes the finalizer `orphan` off. */
  readonly collectsGarbage: boolean;
}

/** kubectl in a namespace. */
interface Kubectl {
  (...args: string[]): Promise<string>;
  /** Gives what it said whatever it exits with. */
  run(args: readonly string[], options?: { stdin?: string; env?: NodeJS.ProcessEnv }): Promise<Finished>;
  /** `VERB ... -f -`. @returns stdout. */
  feed(stdin: string, ...args: string[]): Promise<string>;
  start(...args: string[]): KubectlProcess;
  readonly namespace: string;
}

let namespaces = 0;

/** Declares the tests of a kind. */
export function describeKubectl(subject: Subject, host: () => Host): void {
  const { kind, plural, group, version, singular, field, manifest } = subject;
  const resource = `${plural}.${group}`;
  const typed = (name: string) => `${singular}.${group}/${name}`;
  const read = (kubectl: Kubectl, name: string, jsonPath: string) =>
    kubectl("get", resource, name, "-o", `jsonpath=${jsonPath}`);

  // Where an object isn't found kubectl asks for its namespace, and tells of that if it isn't found either.
  const notFound = (name: string) => {
    const what = host().hasNamespaces
      ? `${resource} "${name}" not found`
      : "the server could not find the requested resource";
    return `Error from server (NotFound): ${what}\n`;
  };

  const command = (name: string, body: (kubectl: Kubectl) => Promise<void>) =>
    test(name, async () => {
      const namespace = `t${++namespaces}-${plural}`;
      const kubectl = kubectlIn(host(), namespace);
      if (host().hasNamespaces) await kubectl("create", "namespace", namespace);
      await body(kubectl);
    });

  // Two at a time: kubectl is a process, and so is the server.
  describe(`kubectl, ${kind}`, { concurrency: 2 }, () => {
    command("api-resources", async (kubectl) => {
      const table = await kubectl("api-resources", `--api-group=${group}`);
      const rows = table.split("\n").map((row) => row.split(/ {2,}/));
      const row = rows.find((cells) => cells[0] === plural);
      assert.deepEqual(row?.slice(-3), [`${group}/${version}`, "true", kind], table);
      const verbs = ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"];
      const able = await kubectl("api-resources", `--api-group=${group}`, `--verbs=${verbs.join()}`, "-o", "name");
      assert.ok(able.split("\n").includes(resource), able);
    });

    command("api-versions", async (kubectl) => {
      const lines = (await kubectl("api-versions")).split("\n");
      for (const one of subject.versions) assert.ok(lines.includes(`${group}/${one}`), lines.join(" "));
    });

    for (const { path, flags, says } of subject.explain) {
      command(`explain ${[path, ...flags].join(" ")}`, async (kubectl) => {
        const text = await kubectl("explain", path, ...flags);
        assert.match(text, new RegExp(`^KIND: {7}${kind}$`, "m"));
        for (const line of says) assert.match(text, line);
      });
    }

    command("create, once", async (kubectl) => {
      assert.equal(await kubectl.feed(manifest("a"), "create"), `${typed("a")} created\n`);
      const { code, stderr } = await kubectl.run(["create", "-f", "-"], { stdin: manifest("a") });
      assert.equal(code, 1);
      const error = `Error from server (AlreadyExists): error when creating "STDIN": ${resource} "a" already exists\n`;
      assert.equal(stderr, error);
    });

    command("create --validate=strict refuses an unknown and a doubled field; ignore takes them", async (kubectl) => {
      const unknown = manifest("a").replace("\nspec:\n", "\nspec:\n  nonsense: 1\n");
      const refused = await kubectl.run(["create", "--validate=strict", "-f", "-"], { stdin: unknown });
      assert.equal(refused.code, 1);
      const strict = `${kind} in version "${version}" cannot be handled as a ${kind}: strict decoding error`;
      const error = `Error from server (BadRequest): error when creating "STDIN": ${strict}: unknown field "spec.nonsense"\n`;
      assert.equal(refused.stderr, error);
      const warned = await kubectl.run(["create", "--validate=warn", "-f", "-"], { stdin: unknown });
      assert.deepEqual([warned.code, warned.stdout], [0, `${typed("a")} created\n`]);
      assert.match(warned.stderr, /^Warning: unknown field "spec\.nonsense"$/m);
      const taken = await kubectl.run(["create", "--validate=ignore", "-f", "-"], {
        stdin: unknown.replace("name: a", "name: b"),
      });
      assert.deepEqual([taken.code, taken.stdout, taken.stderr], [0, `${typed("b")} created\n`, ""]);
      assert.equal(await read(kubectl, "a", "{.spec.nonsense}"), "");
    });

    command("create --dry-run=server keeps nothing", async (kubectl) => {
      const said = await kubectl.feed(manifest("a"), "create", "--dry-run=server");
      assert.equal(said, `${typed("a")} created (server dry run)\n`);
      const { code, stderr } = await kubectl.run(["get", resource, "a"]);
      assert.equal(code, 1);
      assert.equal(stderr, notFound("a"));
    });

    command("get, as a table and -o wide, name, json, yaml, jsonpath", async (kubectl) => {
      await kubectl.feed(`${manifest("a")}---\n${manifest("b")}`, "create");
      const titles = async (...flags: string[]) =>
        (await kubectl("get", resource, ...flags)).split("\n").map((row) => row.split(/ {3,}/));
      const table = await titles();
      assert.deepEqual(table[0], subject.columns);
      assert.deepEqual(
        table.slice(1).map((row) => row[0]),
        ["a", "b", ""],
      );
      assert.deepEqual((await titles("-o", "wide"))[0], subject.wideColumns);
      assert.equal(await kubectl("get", resource, "-o", "name"), `${typed("a")}\n${typed("b")}\n`);
      const object = JSON.parse(await kubectl("get", resource, "a", "-o", "json"));
      assert.deepEqual([object.apiVersion, object.kind], [`${group}/${version}`, kind]);
      assert.match(object.metadata.uid, /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
      assert.match(object.metadata.creationTimestamp, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
      assert.equal(object.metadata.generation, 1);
      assert.match(object.metadata.resourceVersion, /^[1-9]\d*$/);
      assert.match(await kubectl("get", resource, "a", "-o", "yaml"), new RegExp(`^kind: ${kind}$`, "m"));
      assert.equal(await read(kubectl, "a", field.jsonPath), field.before);
    });

    command("get without anything there", async (kubectl) => {
      const { code, stdout, stderr } = await kubectl.run(["get", resource]);
      assert.deepEqual([code, stdout, stderr], [0, "", `No resources found in ${kubectl.namespace} namespace.\n`]);
    });

    command("get -A, -l, --field-selector, --chunk-size", async (kubectl) => {
      for (const name of ["a", "b", "c"]) await kubectl.feed(manifest(name, { odd: String(name !== "b") }), "create");
      const names = async (...flags: string[]) =>
        (await kubectl("get", resource, "-o", "name", ...flags)).split("\n").slice(0, -1);
      assert.deepEqual(await names("-l", "odd=true"), [typed("a"), typed("c")]);
      assert.deepEqual(await names("-l", "odd notin (true)"), [typed("b")]);
      assert.deepEqual(await names("-l", "odd,!even"), [typed("a"), typed("b"), typed("c")]);
      assert.deepEqual(await names("--field-selector", "metadata.name=b"), [typed("b")]);
      assert.deepEqual(await names("--field-selector", "metadata.name!=b"), [typed("a"), typed("c")]);
      assert.deepEqual(await names("--chunk-size=1"), [typed("a"), typed("b"), typed("c")]);
      const everywhere = await kubectl("get", resource, "-A", "--no-headers");
      const here = everywhere.split("\n").filter((row) => row.startsWith(`${kubectl.namespace} `));
      assert.equal(here.length, 3, everywhere);
      const wrong = await kubectl.run(["get", resource, "--field-selector", "spec.nonsense=1"]);
      assert.equal(wrong.code, 1);
      assert.match(wrong.stderr, /^Error from server \(BadRequest\): .*field label not supported: spec\.nonsense$/m);
    });

    command("get -w sees what is added, modified and deleted, with -l too", async (kubectl) => {
      await kubectl.feed(manifest("a", { on: "yes" }), "create");
      const rows = ["get", resource, "-w", "--output-watch-events", "--no-headers"];
      const all = kubectl.start(...rows);
      const some = kubectl.start(...rows, "-l", "on=yes");
      try {
        for (const watch of [all, some]) await watch.said(/^ADDED +a /m);
        await kubectl.feed(manifest("b", { on: "no" }), "create");
        await all.said(/^ADDED +b /m);
        await kubectl("label", resource, "b", "on=yes", "--overwrite");
        await all.said(/^MODIFIED +b /m);
        await some.said(/^ADDED +b /m);
        await kubectl("label", resource, "b", "on=no", "--overwrite");
        await some.said(/^DELETED +b /m);
        await kubectl("delete", resource, "a");
        await all.said(/^DELETED +a /m);
        await some.said(/^DELETED +a /m);
      } finally {
        all.stop();
        some.stop();
      }
    });

    command("get --raw of a watch, from now and from before", async (kubectl) => {
      await kubectl.feed(manifest("a"), "create");
      const path = `/apis/${group}/${version}/namespaces/${kubectl.namespace}/${plural}?watch=true&timeoutSeconds=2`;
      const frames = async (query: string) =>
        (await kubectl("get", "--raw", `${path}${query}`))
          .split("\n")
          .slice(0, -1)
          .map((line) => {
            const { type, object } = JSON.parse(line);
            return `${type} ${object.kind} ${object.metadata.name}`;
          });
      assert.deepEqual(await frames(""), [`ADDED ${kind} a`]);
      const revision = await read(kubectl, "a", "{.metadata.resourceVersion}");
      await kubectl("label", resource, "a", "new=yes");
      assert.deepEqual(await frames(`&resourceVersion=${revision}`), [`MODIFIED ${kind} a`]);
    });

    command("describe", async (kubectl) => {
      await kubectl.feed(manifest("a", { on: "yes" }), "create");
      const text = await kubectl("describe", resource, "a");
      assert.match(text, /^Name: +a$/m);
      assert.match(text, new RegExp(`^Namespace: +${kubectl.namespace}$`, "m"));
      assert.match(text, /^Labels: +on=yes$/m);
      assert.match(text, new RegExp(`^API Version: +${group}/${version}$`, "m"));
      assert.match(text, new RegExp(`\\b${RegExp.escape(field.before)}$`, "m"));
    });

    command("edit", async (kubectl) => {
      await kubectl.feed(manifest("a"), "create");
      const editor = `sed -i s/${field.before}/${field.after}/`;
      const env = { ...process.env, KUBE_EDITOR: editor };
      const { code, stdout, stderr } = await kubectl.run(["edit", resource, "a"], { env });
      assert.deepEqual([code, stdout, stderr], [0, `${typed("a")} edited\n`, ""]);
      assert.equal(await read(kubectl, "a", field.jsonPath), field.after);
      assert.equal(await read(kubectl, "a", "{.metadata.generation}"), "2");
    });

    command("label and annotate: set, refuse to overwrite, remove", async (kubectl) => {
      await kubectl.feed(manifest("a"), "create");
      for (const [verb, done, map] of [
        ["label", "labeled", "labels"],
        ["annotate", "annotated", "annotations"],
      ] as const) {
        assert.equal(await kubectl(verb, resource, "a", "team=blue"), `${typed("a")} ${done}\n`);
        assert.equal(await read(kubectl, "a", `{.metadata.${map}.team}`), "blue");
        const again = await kubectl.run([verb, resource, "a", "team=green"]);
        assert.equal(again.code, 1);
        assert.match(again.stderr, /already has a value \(blue\)/);
        await kubectl(verb, resource, "a", "team-");
        assert.equal(await read(kubectl, "a", `{.metadata.${map}.team}`), "");
      }
      assert.equal(await read(kubectl, "a", "{.metadata.generation}"), "1");
      const bad = await kubectl.run([
        "patch",
        resource,
        "a",
        "--type=merge",
        "-p",
        '{"metadata":{"labels":{"a b":"c"}}}',
      ]);
      assert.equal(bad.code, 1);
      assert.match(
        bad.stderr,
        new RegExp(`^The ${kind} "a" is invalid: metadata.labels: Invalid value: "a b": name part `),
      );
    });

    command("patch --type=merge, --type=json; strategic is refused by name", async (kubectl) => {
      await kubectl.feed(manifest("a"), "create");
      const patch = (type: string, body: unknown) =>
        kubectl.run(["patch", resource, "a", `--type=${type}`, "-p", JSON.stringify(body)]);
      const merged = await patch("merge", field.merge(field.after));
      assert.deepEqual([merged.code, merged.stdout], [0, `${typed("a")} patched\n`], merged.stderr);
      assert.equal(await read(kubectl, "a", field.jsonPath), field.after);
      const unchanged = await patch("merge", field.merge(field.after));
      assert.equal(unchanged.stdout, `${typed("a")} patched (no change)\n`);
      const replaced = await patch("json", [
        { op: "test", path: field.pointer, value: field.after },
        { op: "replace", path: field.pointer, value: field.before },
      ]);
      assert.equal(replaced.code, 0, replaced.stderr);
      assert.equal(await read(kubectl, "a", field.jsonPath), field.before);
      const failed = await patch("json", [{ op: "test", path: field.pointer, value: field.after }]);
      const why = "The request is invalid: the server rejected our request due to an error in our request\n";
      assert.deepEqual([failed.code, failed.stderr], [1, why]);
      const strategic = await patch("strategic", field.merge(field.after));
      assert.equal(strategic.code, 1);
      const type = "application/strategic-merge-patch+json is not supported";
      assert.match(
        strategic.stderr,
        new RegExp(`^error: ${RegExp.escape(type)} by ${group}/${version}, Kind=${kind}: `),
      );
    });

    command("patch --subresource=status changes the status alone, and --subresource shows it", async (kubectl) => {
      await kubectl.feed(manifest("a"), "create");
      const both = JSON.stringify({ ...subject.status.merge, ...field.merge(field.after) });
      await kubectl("patch", resource, "a", "--subresource=status", "--type=merge", "-p", both);
      assert.equal(await read(kubectl, "a", subject.status.jsonPath), subject.status.value);
      assert.equal(await read(kubectl, "a", field.jsonPath), field.before);
      assert.equal(await read(kubectl, "a", "{.metadata.generation}"), "1");
      await kubectl("patch", resource, "a", "--type=merge", "-p", '{"status":null}');
      const status = ["get", resource, "a", "--subresource=status", "-o", `jsonpath=${subject.status.jsonPath}`];
      assert.equal(await kubectl(...status), subject.status.value);
    });

    command("replace, and not over a newer version", async (kubectl) => {
      await kubectl.feed(manifest("a"), "create");
      const old = await kubectl("get", resource, "a", "-o", "json");
      const changed = manifest("a").replace(field.before, field.after);
      assert.equal(await kubectl.feed(changed, "replace"), `${typed("a")} replaced\n`);
      assert.equal(await read(kubectl, "a", field.jsonPath), field.after);
      const late = await kubectl.run(["replace", "-f", "-"], { stdin: old });
      assert.equal(late.code, 1);
      const why = `Operation cannot be fulfilled on ${resource} "a": the object has been modified; please apply your changes to the latest version and try again`;
      assert.equal(late.stderr, `Error from server (Conflict): error when replacing "STDIN": ${why}\n`);
    });

    command("apply: created, unchanged, configured", async (kubectl) => {
      assert.equal(await kubectl.feed(manifest("a"), "apply"), `${typed("a")} created\n`);
      const revision = await read(kubectl, "a", "{.metadata.resourceVersion}");
      assert.equal(await kubectl.feed(manifest("a"), "apply"), `${typed("a")} unchanged\n`);
      assert.equal(await read(kubectl, "a", "{.metadata.resourceVersion}"), revision);
      const changed = manifest("a", { new: "label" }).replace(field.before, field.after);
      assert.equal(await kubectl.feed(changed, "apply"), `${typed("a")} configured\n`);
      assert.equal(await read(kubectl, "a", field.jsonPath), field.after);
      await kubectl.feed(manifest("a"), "apply");
      assert.equal(await read(kubectl, "a", "{.metadata.labels.new}"), "");
    });

    command("diff: 0 for the same, 1 with the lines that differ", async (kubectl) => {
      await kubectl.feed(manifest("a"), "apply");
      const same = await kubectl.run(["diff", "-f", "-"], { stdin: manifest("a") });
      assert.deepEqual([same.code, same.stdout, same.stderr], [0, "", ""]);
      const changed = manifest("a").replace(field.before, field.after);
      const other = await kubectl.run(["diff", "-f", "-"], { stdin: changed });
      assert.equal(other.code, 1, other.stderr);
      assert.match(other.stdout, new RegExp(`^-.*\\b${RegExp.escape(field.before)}$`, "m"));
      assert.match(other.stdout, new RegExp(`^\\+.*\\b${RegExp.escape(field.after)}$`, "m"));
      assert.equal(await read(kubectl, "a", field.jsonPath), field.before);
    });

    if (subject.replicas !== undefined) {
      const replicas = subject.replicas;
      command("scale, and only from the expected number", async (kubectl) => {
        await kubectl.feed(manifest("a"), "create");
        assert.equal(await kubectl("scale", resource, "a", "--replicas=5"), `${typed("a")} scaled\n`);
        assert.equal(await read(kubectl, "a", replicas), "5");
        const other = await kubectl.run(["scale", resource, "a", "--replicas=7", "--current-replicas=6"]);
        assert.deepEqual([other.code, other.stderr], [1, "error: Expected replicas to be 6, was 5\n"]);
        await kubectl("scale", resource, "a", "--replicas=7", "--current-replicas=5");
        assert.equal(await read(kubectl, "a", replicas), "7");
        const scale = JSON.parse(await kubectl("get", resource, "a", "--subresource=scale", "-o", "json"));
        assert.deepEqual([scale.apiVersion, scale.kind, scale.spec], ["autoscaling/v1", "Scale", { replicas: 7 }]);
      });
    }

    command("wait --for=jsonpath is told by a watch", async (kubectl) => {
      await kubectl.feed(manifest("a"), "create");
      const condition = `--for=jsonpath=${subject.status.jsonPath}=${subject.status.value}`;
      const wait = kubectl.start("wait", resource, "a", condition, "--timeout=60s", "-v=6");
      await wait.said(/watch=true/);
      assert.equal(wait.hasEnded(), false);
      const status = JSON.stringify(subject.status.merge);
      await kubectl("patch", resource, "a", "--subresource=status", "--type=merge", "-p", status);
      const { code, output } = await wait.ended;
      assert.equal(code, 0, output);
      assert.ok(output.includes(`${typed("a")} condition met\n`), output);
    });

    command("delete waits until the last finalizer is gone", async (kubectl) => {
      await kubectl.feed(manifest("a"), "create");
      const finalizers = (value: unknown) =>
        kubectl("patch", resource, "a", "--type=merge", "-p", JSON.stringify({ metadata: { finalizers: value } }));
      await finalizers(["example.com/hold"]);
      const deletion = kubectl.start("delete", resource, "a", "-v=6");
      await deletion.said(/watch=true/);
      assert.equal(deletion.hasEnded(), false);
      assert.match(await read(kubectl, "a", "{.metadata.deletionTimestamp}"), /^20\d\d-/);
      await finalizers(null);
      const { code, output } = await deletion.ended;
      assert.equal(code, 0, output);
      assert.match(output, new RegExp(`^${singular}\\.${RegExp.escape(group)} "a" deleted`, "m"));
      const { stderr } = await kubectl.run(["get", resource, "a"]);
      assert.equal(stderr, notFound("a"));
    });

    command("delete --cascade=orphan leaves the rest to the garbage collector", async (kubectl) => {
      await kubectl.feed(manifest("a"), "create");
      if (!host().collectsGarbage) {
        await kubectl("delete", resource, "a", "--cascade=orphan", "--wait=false");
        assert.equal(await read(kubectl, "a", "{.metadata.finalizers}"), '["orphan"]');
        // What the collector does when it has freed the dependents.
        await kubectl("patch", resource, "a", "--type=merge", "-p", '{"metadata":{"finalizers":null}}');
      } else await kubectl("delete", resource, "a", "--cascade=orphan");
      assert.equal((await kubectl.run(["get", resource, "a"])).code, 1);
    });

    command("delete --all, and by label", async (kubectl) => {
      for (const name of ["a", "b", "c"]) await kubectl.feed(manifest(name, { odd: String(name !== "b") }), "create");
      await kubectl("delete", resource, "-l", "odd=false");
      assert.equal(await kubectl("get", resource, "-o", "name"), `${typed("a")}\n${typed("c")}\n`);
      await kubectl("delete", resource, "--all");
      assert.equal(await kubectl("get", resource, "-o", "name"), "");
    });

    command("get --raw, and delete --raw of a collection", async (kubectl) => {
      await kubectl.feed(manifest("a"), "create");
      const path = `/apis/${group}/${version}/namespaces/${kubectl.namespace}/${plural}`;
      const list = JSON.parse(await kubectl("get", "--raw", path));
      assert.deepEqual([list.apiVersion, list.kind, list.items.length], [`${group}/${version}`, `${kind}List`, 1]);
      assert.match(list.metadata.resourceVersion, /^[1-9]\d*$/);
      assert.equal(await kubectl("get", "--raw", "/readyz"), "ok");
      await kubectl("delete", "--raw", path);
      assert.deepEqual(JSON.parse(await kubectl("get", "--raw", path)).items, []);
    });
  });
}

function kubectlIn({ kubeconfig }: Host, namespace: string): Kubectl {
  const here = ["-n", namespace];
  const run: Kubectl["run"] = (args, options = {}) => runKubectl([...here, ...args], { kubeconfig, ...options });
  const sure = async (args: readonly string[], stdin?: string): Promise<string> => {
    const { code, stdout, stderr } = await run(args, stdin === undefined ? {} : { stdin });
    assert.equal(code, 0, `kubectl ${args.join(" ")}:\n${stdout}${stderr}`);
    return stdout;
  };
  return Object.assign(async (...args: string[]) => await sure(args), {
    run,
    feed: async (stdin: string, ...args: string[]) => await sure([...args, "-f", "-"], stdin),
    start: (...args: string[]) => startKubectl([...here, ...args], { kubeconfig }),
    namespace,
  });
}
