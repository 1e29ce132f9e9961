import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { Capability, Scope } from "../../gen/annex/store/v1/catalog_pb.js";
import { CrdFileError, readCrds } from "./crds.ts";

const support = {
  capabilities: [Capability.RESUME],
  resumeWindow: { minRevisions: 1n, minAgeMs: 2n },
  maxObjectBytes: 3n,
};

const crd = `apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata:
  name: things.a.dev
spec:
  group: a.dev
  scope: Namespaced
  names: {plural: things, kind: Thing, shortNames: [th]}
  versions:
    - name: v1
      served: true
      storage: true
      schema:
        openAPIV3Schema:
          type: object
          properties:
            n: {type: integer, maximum: 9223372036854775807}
            yes: {type: boolean, default: on, enum: ["no", 2001-01-01]}
`;

function read(files: Record<string, string>) {
  const folder = mkdtempSync(join(tmpdir(), "annex-crds-"));
  try {
    for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
    return readCrds([folder], support);
  } catch (error) {
    if (!(error instanceof CrdFileError)) throw error;
    throw new Error(error.message.replaceAll(`${folder}/`, ""));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function complaint(files: Record<string, string>): string {
  try {
    read(files);
  } catch (error) {
    return (error as Error).message;
  }
  return assert.fail("the definitions were taken");
}

test("readCrds() translates names, scope and versions, and keeps what the store offers", () => {
  const [resource] = read({ "a.yaml": crd });
  assert.equal(resource?.plural, "things");
  assert.equal(resource?.kind, "Thing");
  assert.equal(resource?.scope, Scope.NAMESPACED);
  assert.equal(resource?.storageVersion, "v1");
  assert.deepEqual(resource?.shortNames, ["th"]);
  assert.deepEqual(resource?.capabilities, [Capability.RESUME]);
});

test("readCrds() reads YAML as Kubernetes does, and keeps 64 bits", () => {
  const [resource] = read({ "a.yaml": crd });
  const schema = Buffer.from(resource?.versions?.[0]?.schemaJson ?? []).toString();
  assert.match(schema, /"maximum":9223372036854775807/);
  assert.match(schema, /"true":\{"type":"boolean","default":true,"enum":\["no","2001-01-01"\]\}/);
});

test("readCrds() reads several documents and files, and passes over empty ones and kustomizations", () => {
  const other = crd.replaceAll("things", "others").replaceAll("Thing", "Other");
  const files = {
    "a.yaml": `---\n# nothing\n---\n${crd}---\n${other}---\n`,
    "kustomization.yaml": "resources: [a.yaml]\n",
  };
  assert.deepEqual(
    read(files).map((resource) => resource.plural),
    ["things", "others"],
  );
});

test("readCrds() names file, line and field of every fault", () => {
  const broken = crd.replace("scope: Namespaced", "scope: Both").replace("served: true", "served: maybe");
  assert.equal(
    complaint({ "a.yaml": broken }),
    [
      'a.yaml:7: spec.scope: Unsupported value: "Both": supported values: "Cluster", "Namespaced"',
      "a.yaml:11: spec.versions[0].served: must be a boolean, got a string",
    ].join("\n"),
  );
});

test("readCrds() counts lines over all documents of a file", () => {
  const second = crd.replaceAll("things", "others").replace("group: a.dev", "group: b.dev");
  const line = crd.split("\n").length + 4;
  assert.equal(
    complaint({ "a.yaml": `${crd}---\n${second}` }),
    `a.yaml:${line}: metadata.name: must be spec.names.plural+"."+spec.group, "others.b.dev"`,
  );
});

test("readCrds() refuses what is no definition, what is no YAML, and what is there twice", () => {
  assert.match(complaint({ "a.yaml": "apiVersion: v1\nkind: Pod\n" }), /^a\.yaml:2: kind: must be a Custom/);
  assert.match(complaint({ "a.yaml": "a: [\n" }), /^a\.yaml:2: /);
  assert.match(complaint({ "a.yaml": "\n- a\n" }), /^a\.yaml:2: is no YAML map$/);
  assert.match(complaint({ "a.yaml": "" }), /^a\.yaml:1: holds no CustomResourceDefinition$/);
  assert.match(complaint({ "a.yaml": `${crd}  group: c\n` }), /^a\.yaml:19: Map keys must be unique/);
  assert.match(complaint({ "a.yaml": crd, "b.yaml": crd }), /^b\.yaml:4: metadata\.name: "things\.a\.dev" is already/);
  assert.match(complaint({ "a.yaml": "[".repeat(100_000) }), /^a\.yaml:1: is nested too deeply$/);
});

test("readCrds() refuses an alias bomb, duplicate versions and conversion webhooks", () => {
  const bomb = Array.from({ length: 9 }, (_, n) => `a${n + 1}: &a${n + 1} [${`*a${n},`.repeat(9)}]`).join("\n");
  assert.match(complaint({ "a.yaml": `a0: &a0 x\n${bomb}\n` }), /^a\.yaml:1: Excessive alias count/);
  const version = crd.slice(crd.indexOf("    - name"));
  const twice = `${crd}${version.replace("storage: true", "storage: false")}`;
  assert.match(complaint({ "a.yaml": twice }), /^a\.yaml:19: spec\.versions\[1\]\.name: Duplicate value: "v1"$/);
  const webhook = twice.replace(
    "name: v1\n      served: true\n      storage: false",
    "name: v2\n      served: true\n      storage: false",
  );
  assert.match(
    complaint({ "a.yaml": webhook.replace("  scope:", "  conversion: {strategy: Webhook}\n  scope:") }),
    /^a\.yaml:7: spec\.conversion\.strategy: Webhook is not supported/,
  );
});
