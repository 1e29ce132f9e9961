import assert from "node:assert/strict";
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { test } from "node:test";
import { type Client, createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { CatalogService } from "../../gen/annex/store/v1/catalog_pb.js";
import { StoreService } from "../../gen/annex/store/v1/store_pb.js";

const entry = new URL("../store.ts", import.meta.url).href;
const script = `process.exitCode = await (await import(${JSON.stringify(entry)})).main(process.argv.slice(1));`;
const args = ["--input-type=module", "-e", script, "sql"];
const resource = { group: "example.annex.dev", version: "v1", plural: "regions", subresource: "" };

interface Running {
  readonly child: ChildProcess;
  readonly ended: Promise<number | null>;
  readonly store: Client<typeof StoreService>;
  readonly catalog: Client<typeof CatalogService>;
}

/** Starts a store as a process of its own. `around` is a command that runs it. */
async function start(folder: string, around: readonly string[] = []): Promise<Running> {
  const command = [...around, process.execPath, ...args, "--data", join(folder, "data")];
  command.push("--listen", `unix:${join(folder, "s.sock")}`);
  const child = spawn(command[0] as string, command.slice(1), { stdio: ["ignore", "pipe", "inherit"] });
  const ended = new Promise<number | null>((resolve) => child.once("exit", resolve));
  const line = await new Promise<string>((resolve, reject) => {
    createInterface({ input: child.stdout as NodeJS.ReadableStream }).once("line", resolve);
    child.once("exit", (code) => reject(new Error(`the store ended with code ${code}`)));
  });
  const transport = createGrpcTransport({
    baseUrl: "http://localhost",
    nodeOptions: { createConnection: () => connect(line.slice("unix:".length)) },
  });
  return {
    child,
    ended,
    store: createClient(StoreService, transport),
    catalog: createClient(CatalogService, transport),
  };
}

async function inFolder(work: (folder: string) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "annex-sql-"));
  try {
    await work(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

const object = (name: string, value: unknown = {}) => ({
  key: { namespace: "", name },
  uid: `uid-${name}`,
  json: Buffer.from(JSON.stringify(value)),
});

test("annex store sql, killed in mid-write, has everything that it acknowledged", async () => {
  await inFolder(async (folder) => {
    const acknowledged = new Map<string, bigint>();
    let head = 0n;
    for (let round = 0; round < 3; round++) {
      const { child, ended, store } = await start(folder);
      for (const [name, revision] of acknowledged) {
        const found = await store.get({ resource, key: { namespace: "", name } });
        // A write that was in flight may have had its effect, one that was acknowledged must have.
        assert.ok((found.object?.revision ?? 0n) >= revision, `${name} is back at an earlier state`);
      }
      assert.ok(((await store.currentRevision({ resource })).mark?.revision ?? 0n) >= head);
      let left = 150;
      const write = async (writer: number) => {
        for (let count = 0; ; count++) {
          const name = `r${round}-w${writer}-${count >> 1}`;
          const revision = acknowledged.get(name);
          const written =
            revision === undefined
              ? await store.create({ resource, object: object(name) })
              : await store.update({ resource, object: object(name, { count }), preconditions: { revision } });
          const { revision: mark } = written.object as { revision: bigint };
          acknowledged.set(name, mark);
          if (mark > head) head = mark;
          if (--left === 0) child.kill("SIGKILL");
        }
      };
      await Promise.allSettled(Array.from({ length: 16 }, (_, writer) => write(writer)));
      assert.equal(await ended, null);
    }
    assert.ok(acknowledged.size >= 200);
  });
});

test("annex store sql syncs each acknowledged write, and those that wait together once", async (t) => {
  if (spawnSync("strace", ["-c", "true"]).status !== 0) return t.skip("strace can't be run here");
  await inFolder(async (folder) => {
    const out = join(folder, "strace.txt");
    const { child, ended, store } = await start(folder, ["strace", "-f", "-o", out, "-e", "trace=fsync,fdatasync"]);
    const syncs = () => readFileSync(out, "utf8").match(/f(data)?sync\(\d+\)? *(=|<unfinished)/g)?.length ?? 0;
    await store.create({ resource, object: object("first") });
    const begin = syncs();
    for (let count = 0; count < 20; count++) await store.create({ resource, object: object(`one-${count}`) });
    const alone = syncs() - begin;
    await Promise.all(
      Array.from({ length: 200 }, (_, count) => store.create({ resource, object: object(`all-${count}`) })),
    );
    const together = syncs() - begin - alone;
    // strace's own child: it passes no signal on.
    const pid = Number(readFileSync(`/proc/${child.pid}/task/${child.pid}/children`, "utf8").split(" ")[0]);
    process.kill(pid, "SIGTERM");
    await ended;
    assert.ok(alone >= 20, `20 writes one after the other took ${alone} syncs`);
    assert.ok(together >= 1 && together < 150, `200 writes at once took ${together} syncs`);
  });
});

test("annex store sql ends with code 0 on SIGTERM, and finds everything again in the same epoch", async () => {
  await inFolder(async (folder) => {
    const first = await start(folder);
    const { epoch } = await first.catalog.describe({});
    const made = await first.store.create({ resource, object: object("a") });
    first.child.kill("SIGTERM");
    assert.equal(await first.ended, 0);
    const second = await start(folder);
    assert.equal((await second.catalog.describe({})).epoch, epoch);
    const found = await second.store.get({ resource, key: { namespace: "", name: "a" } });
    assert.equal(found.object?.revision, made.object?.revision);
    second.child.kill("SIGTERM");
    assert.equal(await second.ended, 0);
  });
});

function fails(...more: string[]): { code: number | null; said: string } {
  const { status, stderr } = spawnSync(process.execPath, [...args, ...more], { encoding: "utf8", timeout: 20_000 });
  return { code: status, said: stderr };
}

test("annex store sql says what is wrong with its folder and ends with code 1", async () => {
  await inFolder(async (folder) => {
    writeFileSync(join(folder, "file"), "");
    const under = join(folder, "file", "data");
    const { code, said } = fails("--data", under);
    assert.equal(code, 1);
    assert.match(said, /^annex store sql: the folder .*data can't be used: ENOTDIR/);

    const foreign = join(folder, "foreign");
    mkdirSync(foreign);
    writeFileSync(join(foreign, "objects.db"), "this is no database, whatever its name may say".repeat(50));
    assert.deepEqual(fails("--data", foreign), {
      code: 1,
      said: `annex store sql: ${foreign}/objects.db can't be used: file is not a database\n`,
    });

    const { child, ended } = await start(folder);
    const data = join(folder, "data");
    assert.deepEqual(fails("--data", data), {
      code: 1,
      said: `annex store sql: the folder ${data} is in use by another process\n`,
    });
    child.kill("SIGTERM");
    await ended;
  });
});

test("annex store sql ends with code 2 for a flag or a definition that is off", async () => {
  await inFolder(async (folder) => {
    const data = join(folder, "data");
    const flag = fails("--data", data, "--listen", "nowhere");
    assert.deepEqual(
      [flag.code, flag.said.split("\n")[0]],
      [2, 'annex store: "nowhere" is neither unix:PATH nor HOST:PORT'],
    );
    writeFileSync(join(folder, "x.yaml"), "kind: Pod\n");
    const definition = fails("--data", data, "--crds", join(folder, "x.yaml"));
    assert.equal(definition.code, 2);
    assert.match(definition.said, /x\.yaml:1: kind: must be a CustomResourceDefinition/);
  });
});
