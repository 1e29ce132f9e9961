import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { deflateRawSync } from "node:zlib";
import { kubectlPath, runKubectl } from "./kubectl.ts";
import { run } from "./run.ts";
import { readZipEntry } from "./zip.ts";

test("kubectlPath() gives a kubectl that runs, with and without one on the PATH", async () => {
  for (const path of [process.env["PATH"] ?? "", ""]) {
    const { code, stdout } = await run(kubectlPath(path), ["version", "--client"]);
    assert.equal(code, 0);
    assert.match(stdout, /^Client Version: v1\./);
  }
});

test("runKubectl() passes the input on and gives what kubectl said", async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "annex-kubectl-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const kubeconfig = join(folder, "kubeconfig");
  const { code, stderr } = await runKubectl(["create", "-f", "-"], { kubeconfig, stdin: "{" });
  assert.equal(code, 1);
  assert.match(stderr, /error/);
});

test("readZipEntry() finds a stored and a deflated entry by name", () => {
  const zip = zipOf([
    ["a", Buffer.from("stored"), 0],
    ["dir/b", Buffer.from("deflated ".repeat(100)), 8],
  ]);
  assert.equal(readZipEntry(zip, "a").toString(), "stored");
  assert.equal(readZipEntry(zip, "dir/b").toString(), "deflated ".repeat(100));
  assert.throws(() => readZipEntry(zip, "c"), /no entry "c"/);
  assert.throws(() => readZipEntry(Buffer.from("PK".repeat(20)), "a"), /no zip/);
});

function zipOf(files: readonly (readonly [name: string, content: Buffer, method: number])[]): Buffer {
  const locals: Buffer[] = [];
  const entries: Buffer[] = [];
  let offset = 0;
  for (const [name, content, method] of files) {
    const packed = method === 8 ? deflateRawSync(content) : content;
    const local = Buffer.alloc(30);
    local.writeUInt32LE(0x04034b50, 0);
    local.writeUInt16LE(name.length, 26);
    const entry = Buffer.alloc(46);
    entry.writeUInt32LE(0x02014b50, 0);
    entry.writeUInt16LE(method, 10);
    entry.writeUInt32LE(packed.length, 20);
    entry.writeUInt16LE(name.length, 28);
    entry.writeUInt32LE(offset, 42);
    locals.push(local, Buffer.from(name), packed);
    entries.push(entry, Buffer.from(name));
    offset += local.length + name.length + packed.length;
  }
  const end = Buffer.alloc(22);
  end.writeUInt32LE(0x06054b50, 0);
  end.writeUInt16LE(files.length, 10);
  end.writeUInt32LE(offset, 16);
  return Buffer.concat([...locals, ...entries, end]);
}
