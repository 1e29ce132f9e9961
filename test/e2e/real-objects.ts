/**
 * Objects of other projects, as their users write them: created, read back, deleted; each file a test.
 *
 * A file has namespaces of its own: names are used again from file to file. What comes back must be
 * what was sent, and beyond that only what a server fills in: some metadata, and the schema's defaults.
 */
import assert from "node:assert/strict";
import { globSync, readFileSync } from "node:fs";
import { join, relative } from "node:path";
import { before, describe, type TestContext, test } from "node:test";
import { type Document, parse, parseAllDocuments } from "yaml";
import { runKubectl } from "../support/kubectl.ts";
import type { Host } from "./kubectl-commands.ts";

/** The projects whose data is read. */
export const projects = ["gateway-api", "prometheus-operator"] as const;

/** JSON, as the yaml package and JSON.parse give it. */
type Value = string | number | boolean | null | readonly Value[] | { readonly [key: string]: Value };
type Map = { readonly [key: string]: Value };

/** The part of a schema that tells what a server fills in. */
interface Schema {
  readonly default?: Value;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly additionalProperties?: Schema | boolean;
  readonly items?: Schema;
}

interface Kind {
  readonly schema: Schema;
  readonly isNamespaced: boolean;
  readonly hasStatus: boolean;
}

interface Example {
  readonly kind: Kind;
  readonly text: string;
  readonly sent: Map;
  readonly namespace: string | undefined;
}

const nameless = "metadata.name: Required value: name or generateName is required";
const unselective = "spec.selector: Required value";
const scrapeClass = "prometheus-operator/examples/user-guides/scrapeclass";
/** Files whose one object lacks what its definition requires: kube-apiserver refuses them too, and so. */
const faults: Readonly<Record<string, readonly string[]>> = {
  [`${scrapeClass}/scrapeclass-example-definition.yaml`]: [nameless],
  [`${scrapeClass}/scrapeclass-example-podmonitor.yaml`]: [nameless, unselective],
  [`${scrapeClass}/scrapeclass-example-servicemonitor.yaml`]: [unselective],
};

/** What the server writes into every object. */
const filled = new Set(["uid", "resourceVersion", "creationTimestamp", "generation"]);

/** Declares a test for each file that holds something served, and one that counts. */
export function describeRealObjects(realData: string, host: () => Host): void {
  const kinds = kindsOf(realData);
  const files = projects.flatMap((project) => globSync(join(realData, project, "examples/**/*.y{a,}ml")).sort());
  const served = files
    .map((file, index) => ({ file: relative(realData, file), examples: examplesOf(file, `f${index}`, kinds) }))
    .filter(({ examples }) => examples.length > 0);
  const total = served.reduce((sum, { examples }) => sum + examples.length, 0);
  let [passed, refused] = [0, 0];

  describe("objects as users write them", () => {
    before(async () => {
      if (host().hasNamespaces)
        await createNamespaces(
          served.flatMap(({ examples }) => examples),
          host(),
        );
    });
    for (const { file, examples } of served) {
      const expected = faults[file];
      test(`${file}: ${expected === undefined ? examples.length : "refused"}`, async () => {
        if (expected === undefined) {
          await createReadDelete(examples, host());
          passed += examples.length;
        } else {
          await assertRefused(examples, expected, host());
          refused += examples.length;
        }
      });
    }
    test("all of them", (t: TestContext) => {
      const how = `created, read back equal, deleted; ${refused} refused for what they lack`;
      t.diagnostic(`${passed} of ${total} objects, from ${served.length} files, ${how}`);
      assert.ok(passed > 0);
      assert.equal(passed + refused, total);
    });
  });
}

async function assertRefused(examples: readonly Example[], expected: readonly string[], host: Host): Promise<void> {
  const stdin = examples.map(({ text }) => text).join("---\n");
  const args = ["create", "--validate=strict", "-f", "-"];
  const { code, stdout, stderr } = await runKubectl(args, { kubeconfig: host.kubeconfig, stdin });
  assert.deepEqual([code, stdout], [1, ""]);
  assert.match(stderr, /^The \w+ "[^"]*" is invalid: /);
  const found = [...stderr.matchAll(/\b(?:metadata|spec)\.\S+: .+$/gm)].map(([fault]) => fault);
  assert.deepEqual(found, expected, stderr);
}

async function createReadDelete(examples: readonly Example[], host: Host): Promise<void> {
  const stdin = examples.map(({ text }) => text).join("---\n");
  const kubectl = async (...args: string[]) => {
    const { code, stdout, stderr } = await runKubectl([...args, "-f", "-"], { kubeconfig: host.kubeconfig, stdin });
    assert.deepEqual([code, stderr], [0, ""], `kubectl ${args.join(" ")}: ${stdout}${stderr}`);
    return stdout;
  };
  const created = await kubectl("create", "--validate=strict");
  assert.equal(created.match(/ created$/gm)?.length, examples.length, created);
  const { items: got } = JSON.parse(await kubectl("get", "-o", "json")) as { items: readonly Map[] };
  assert.equal(got.length, examples.length);
  const wrong = examples.flatMap(({ kind, sent }, index) => objectDifferences(kind, sent, got[index] ?? {}));
  assert.deepEqual(wrong, []);
  const deleted = await kubectl("delete");
  assert.equal(deleted.match(/ deleted\b/g)?.length, examples.length, deleted);
  const { stdout } = await runKubectl(["get", "-f", "-", "--ignore-not-found", "-o", "name"], {
    kubeconfig: host.kubeconfig,
    stdin,
  });
  assert.equal(stdout, "");
}

async function createNamespaces(examples: readonly Example[], { kubeconfig }: Host): Promise<void> {
  const names = new Set(examples.flatMap(({ namespace }) => namespace ?? []));
  const namespaces = [...names].map((name) => ({ apiVersion: "v1", kind: "Namespace", metadata: { name } }));
  const stdin = namespaces.map((one) => JSON.stringify(one)).join("\n");
  const { code, stderr } = await runKubectl(["create", "-f", "-"], { kubeconfig, stdin });
  assert.equal(code, 0, stderr);
}

/** By `apiVersion kind`. */
function kindsOf(realData: string): ReadonlyMap<string, Kind> {
  const kinds = new globalThis.Map<string, Kind>();
  for (const file of projects.flatMap((project) => globSync(join(realData, project, "crds/*.yaml")))) {
    const { spec } = parse(readFileSync(file, "utf8"));
    for (const version of spec.versions) {
      if (!version.served) continue;
      kinds.set(`${spec.group}/${version.name} ${spec.names.kind}`, {
        schema: version.schema.openAPIV3Schema,
        isNamespaced: spec.scope === "Namespaced",
        hasStatus: version.subresources?.status !== undefined,
      });
    }
  }
  return kinds;
}

function examplesOf(file: string, prefix: string, kinds: ReadonlyMap<string, Kind>): Example[] {
  const documents = parseAllDocuments(readFileSync(file, "utf8")) as Document[];
  return documents.flatMap((document): Example[] => {
    const kind = kinds.get(`${document.get("apiVersion")} ${document.get("kind")}`);
    if (kind === undefined) return [];
    const own = document.getIn(["metadata", "namespace"]);
    const namespace = own === undefined ? prefix : `${prefix}-${own}`;
    if (kind.isNamespaced) document.setIn(["metadata", "namespace"], namespace);
    const text = document.toString({ directives: false });
    const sent = document.toJS() as Map;
    return [{ kind, text, sent, namespace: kind.isNamespaced ? namespace : undefined }];
  });
}

function objectDifferences(kind: Kind, sent: Map, got: Map): string[] {
  const { metadata: sentMetadata, status: sentStatus, ...sentRest } = sent;
  const { metadata: gotMetadata, status: gotStatus, ...gotRest } = got;
  const statusSchema = kind.schema.properties?.["status"] ?? {};
  const ownMetadata = Object.entries(gotMetadata as Map).filter(([key]) => !filled.has(key));
  return [
    ...differences("metadata", {}, sentMetadata ?? {}, Object.fromEntries(ownMetadata)),
    ...differences("", kind.schema, sentRest, gotRest),
    // A status is the controller's to write: a create drops it.
    ...differences(
      "status",
      statusSchema,
      (kind.hasStatus ? undefined : sentStatus) ?? statusSchema.default ?? {},
      gotStatus ?? {},
    ),
  ];
}

/** Gives the paths where what came back is neither what was sent nor a default. */
function differences(path: string, schema: Schema, sent: Value, got: Value | undefined): string[] {
  if (sent === null && got === undefined) return [];
  if (Array.isArray(sent) && Array.isArray(got)) {
    const lengths = sent.length === got.length ? [] : [`${path}: ${sent.length} items became ${got.length}`];
    const items = sent.map((item, index) => differences(`${path}[${index}]`, schema.items ?? {}, item, got[index]));
    return [...lengths, ...items.flat()];
  }
  if (!isMap(sent) || !isMap(got)) {
    return Object.is(sent, got) ? [] : [`${path}: ${JSON.stringify(sent)} became ${JSON.stringify(got)}`];
  }
  const keys = new Set([...Object.keys(sent), ...Object.keys(got)]);
  return [...keys].flatMap((key) => {
    const inner = childOf(schema, key);
    const expected = sent[key] ?? inner.default;
    if (expected === undefined) return key in sent ? [] : [`${path}.${key}: ${JSON.stringify(got[key])} was added`];
    return differences(`${path}.${key}`, inner, expected, got[key]);
  });
}

function childOf(schema: Schema, key: string): Schema {
  const { properties = {}, additionalProperties } = schema;
  if (Object.hasOwn(properties, key)) return properties[key] ?? {};
  return typeof additionalProperties === "object" ? additionalProperties : {};
}

function isMap(value: Value | undefined): value is Map {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
