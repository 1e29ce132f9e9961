/** The examples of stores/sdk/README.md, pasted as they stand there into a folder with the package installed. */
import assert from "node:assert/strict";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { root } from "../support/checkout.ts";
import { type GatewayProcess, startGatewayProcess } from "../support/gateway-process.ts";
import { runKubectl } from "../support/kubectl.ts";
import { startKubectl } from "../support/kubectl-process.ts";
import { run } from "../support/run.ts";
import { type StoreProcess, startStoreProcess } from "../support/store-process.ts";

/** Where the package is installed. */
export interface Installed {
  readonly app: string;
  readonly env: NodeJS.ProcessEnv;
  /** Checks a file as a strict TypeScript project would. */
  typecheck(file: string): Promise<void>;
}

/** The certifier takes less than a minute by itself; of a busy machine it has a tenth. */
const certifyTimeoutMs = 9 * 60_000;

/** Runs each example behind the packed gateway. */
export function describeReadmeStores({ app, env, typecheck }: Installed): void {
  const start = (file: string) => startStoreProcess({ command: process.execPath, args: [file], cwd: app, env });
  const annex = join(app, "node_modules/annex/gateway/cli/annex.js");
  let store: StoreProcess;
  let gateway: GatewayProcess;
  const kubectl = (args: readonly string[], stdin = "") => runKubectl(args, { ...gateway, stdin });
  const serve = async (file: string, name: string, resource: string) => {
    store = await start(file);
    gateway = await startGatewayProcess({ stores: [{ name, address: store.address }], serves: [resource], annex, env });
  };
  const stop = async () => {
    await gateway.stop();
    assert.equal(await store.stop(), 0, store.stderr());
  };

  describe("the README's store of notes", () => {
    const note = (title: string, { sealed = false, name = "first" } = {}) =>
      JSON.stringify({
        apiVersion: "notes.example.com/v1",
        kind: "Note",
        metadata: { name },
        spec: { title, sealed },
      });
    const titleOf = async () => (await kubectl(["get", "note", "first", "-o", "jsonpath={.spec.title}"])).stdout;
    before(async () => {
      paste(app, "notes.ts", 50);
      await serve("notes.ts", "notes", "notes.notes.example.com");
    });
    after(stop);

    test("is taken by a strict compiler", () => typecheck("notes.ts"));

    test("creates, shows its column, changes, and tells a watch", async () => {
      assert.equal((await kubectl(["create", "-f", "-"], note("One"))).stderr, "");
      assert.match((await kubectl(["get", "notes"])).stdout, /^NAME +TITLE\nfirst +One\n$/);
      const shown = "jsonpath={.metadata.name} {.spec.title}{'\\n'}";
      const watched = startKubectl(["get", "notes", "--watch", "-o", shown], gateway);
      // It begins with what is there; from then on it misses nothing.
      await watched.said(/^first One$/m);
      assert.equal((await kubectl(["create", "-f", "-"], note("Other", { name: "second" }))).stderr, "");
      await watched.said(/^second Other$/m);
      const patch = await kubectl(["patch", "note", "first", "--type=merge", "-p", '{"spec":{"title":"Two"}}']);
      assert.equal(patch.code, 0, patch.stderr);
      assert.equal(await titleOf(), "Two");
      await watched.said(/^first Two$/m);
      watched.stop();
      await watched.ended;
      assert.equal((await kubectl(["delete", "note", "second"])).code, 0);
    });

    test("keeps them in files, over a restart", async () => {
      assert.equal(readdirSync(join(app, "notes")).length, 1);
      await stop();
      await serve("notes.ts", "notes", "notes.notes.example.com");
      assert.equal(await titleOf(), "Two");
    });

    test("refuses by the schema and by its own rule, with the field", async () => {
      const long = await kubectl(["replace", "-f", "-"], note("x".repeat(81)));
      assert.match(long.stderr, /spec.title: Too long: may not be more than 80 bytes/);
      assert.equal((await kubectl(["replace", "-f", "-"], note("Two", { sealed: true }))).code, 0);
      const sealed = await kubectl(["replace", "-f", "-"], note("Three", { sealed: true }));
      assert.match(sealed.stderr, /The Note "first" is invalid: spec.title: the note is sealed/);
      assert.equal(await titleOf(), "Two");
    });

    test("deletes, and the file goes with it", async () => {
      assert.equal((await kubectl(["delete", "note", "first"])).code, 0);
      assert.deepEqual(readdirSync(join(app, "notes")), []);
    });

    test("keeps the contract", async () => {
      const certify = [annex, "certify", "--no-chaos", "--", process.execPath, "notes.ts"];
      const options = { cwd: app, env: { ...env, NOTES: "certified" }, timeoutMs: certifyTimeoutMs };
      const { code, stdout } = await run(process.execPath, certify, options);
      assert.equal(code, 0, stdout);
      assert.match(stdout, /^notes 1 keeps the contract: \d+ promises kept, 0 broken/m);
    });
  });

  describe("the README's imperative kind", () => {
    const request = (userID: string, newPassword: string) =>
      JSON.stringify({
        apiVersion: "ext.example.com/v1",
        kind: "PasswordChangeRequest",
        spec: { userID, newPassword },
      });
    before(async () => {
      paste(app, "passwords.ts", 26);
      await serve("passwords.ts", "passwords", "passwordchangerequests.ext.example.com");
    });
    after(stop);

    test("is taken by a strict compiler", () => typecheck("passwords.ts"));

    test("offers create alone", async () => {
      const { stdout } = await kubectl(["api-resources", "--api-group=ext.example.com", "-o", "wide", "--no-headers"]);
      assert.match(stdout, /^passwordchangerequests +ext.example.com\/v1 +false +PasswordChangeRequest +create *\n$/);
    });

    test("answers kubectl create, and keeps nothing", async () => {
      const made = await kubectl(["create", "-f", "-", "-o", "json"], request("admin", "a long password"));
      assert.equal(made.code, 0, made.stderr);
      const { spec, status } = JSON.parse(made.stdout);
      assert.deepEqual([spec, status], [{ newPassword: "", userID: "admin" }, { changed: true }]);
      assert.match((await kubectl(["get", "passwordchangerequests"])).stderr, /MethodNotAllowed/);
    });

    test("refuses by the schema and by its own rule", async () => {
      const short = await kubectl(["create", "-f", "-"], request("admin", "short"));
      assert.match(short.stderr, /spec.newPassword: Invalid value: "short"/);
      const other = await kubectl(["create", "-f", "-"], request("somebody", "a long password"));
      assert.match(other.stderr, /\(Forbidden\).*a password is changed by its owner/);
    });
  });

  test("a store says what is off with its command line", async () => {
    const wrong = await run(process.execPath, ["passwords.ts", "--listen", "nowhere"], { cwd: app, env });
    assert.equal(wrong.code, 2);
    assert.match(wrong.stderr, /^"nowhere" is neither unix:PATH nor HOST:PORT\n/);
  });
}

/** Writes an example as a file. @throws Error if it is longer than it is promised to be. */
function paste(app: string, file: string, maxLines: number): void {
  const readme = readFileSync(join(root, "stores/sdk/README.md"), "utf8");
  const text = readme.split(`<!-- example: ${file} -->\n\`\`\`ts\n`)[1]?.split("```\n")[0];
  assert.ok(text !== undefined, `the README has no example ${file}`);
  const lines = text.trimEnd().split("\n").length;
  assert.ok(lines <= maxLines, `${file} has ${lines} lines`);
  writeFileSync(join(app, file), text);
}
