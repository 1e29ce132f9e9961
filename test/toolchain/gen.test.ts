import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { root } from "../support/checkout.ts";
import { run } from "../support/run.ts";

const bin = join(root, "node_modules/.bin");
const env = { ...process.env, PATH: `${bin}:${process.env["PATH"] ?? ""}` };

test("gen/ is what buf writes from proto/", async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "annex-gen-"));
  t.after(() => rmSync(folder, { recursive: true }));
  // The template's own `out` is taken relative to -o, so the checkout stays as it is.
  const { code, stderr } = await run(join(bin, "buf"), ["generate", "-o", folder], { cwd: root, env });
  assert.equal(code, 0, stderr);
  const written = filesOf(join(folder, "gen"));
  assert.ok(written.size > 0);
  const kept = filesOf(join(root, "gen"));
  assert.deepEqual([...kept.keys()], [...written.keys()], "run: npm run generate");
  for (const [file, text] of written) assert.ok(kept.get(file) === text, `gen/${file} differs; run: npm run generate`);
});

function filesOf(folder: string): Map<string, string> {
  const names = readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1))
    .sort();
  return new Map(names.map((name) => [name, readFileSync(join(folder, name), "utf8")]));
}
