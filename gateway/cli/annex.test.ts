import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { gatewayVersion } from "../version.ts";

const bin = fileURLToPath(new URL("./annex.js", import.meta.url));

/** Runs the bin in a process of its own, as it is run. */
function annex(args: readonly string[], nodeFlags: readonly string[] = []): { code: number; out: string; err: string } {
  const { status, stdout, stderr } = spawnSync(process.execPath, [...nodeFlags, bin, ...args], { encoding: "utf8" });
  return { code: status ?? -1, out: stdout, err: stderr };
}

test("annex says which Node it needs, in one sentence", () => {
  const older = `data:text/javascript,Object.defineProperty(process, "versions", { value: { node: "22.1.0" } })`;
  assert.deepEqual(annex(["dev"], ["--import", older]), {
    code: 2,
    out: "",
    err: "annex needs Node 24 or newer; this is Node 22.1.0\n",
  });
});

test("annex --version and --help are fine, and on stdout", () => {
  assert.deepEqual(annex(["--version"]), { code: 0, out: `${gatewayVersion}\n`, err: "" });
  const help = annex(["--help"]);
  assert.equal(help.code, 0);
  assert.match(help.out, /^Usage: annex /);
  assert.equal(annex(["store", "--help"]).code, 0);
});

test("annex exits 2 over arguments that are off, and names them", () => {
  for (const [args, said] of [
    [["nonsense"], /unknown command 'nonsense'/],
    [["dev", "--port", "x"], /'--port <port>' argument 'x' is invalid/],
    [["dev", "--nonsense"], /unknown option '--nonsense'/],
    [["dev", "--store", "etcd"], /'etcd' is invalid/],
    [["gateway"], /required option '--config <file>' not specified/],
    [["gateway", "--config", "/nowhere/annex.yaml"], /^\/nowhere\/annex\.yaml: can't be read/],
    [["store", "nonsense"], /"nonsense" is none of sql, memory/],
  ] as const) {
    const { code, err } = annex(args);
    assert.equal(code, 2, args.join(" "));
    assert.match(err, said);
  }
});
