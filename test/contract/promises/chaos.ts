/**
 * What outlives a disturbance: no acknowledged write is lost, no event is lost, told twice or out of
 * order. Each history is checked by all rules, in the order of its revisions.
 */
import { setTimeout as pause } from "node:timers/promises";
import { createClient } from "@connectrpc/connect";
import { CatalogService } from "../../../gen/annex/store/v1/catalog_pb.js";
import { codeOf, createEndpoint, type Kit, type Made, nameOf } from "../kit.ts";
import type { StoreProcess } from "../process.ts";
import { hold, promisesOf, same } from "../promise.ts";
import { createProxy, type FaultProxy } from "../proxy.ts";
import { enough, runWorkload } from "../workload.ts";
import { assertHistory } from "./history.ts";

const chaos = promisesOf("chaos");
const keeps = { verbs: "create get list watch update", has: ["RESUME"] } as const;
const killable = { ...keeps, process: true };
const timeoutMs = 90_000;
/** How long a store may take from its start to its first answer. */
const readyMs = 20_000;

export const chaosPromises = [
  chaos(
    "chaos.cut",
    "Connections that are cut, again and again, lose no acknowledged write and no event.",
    keeps,
    async (kit) => {
      await disturbed(kit, async ([proxy]) => {
        for (let count = 0; count < 10; count++) {
          await pause(250);
          proxy?.cut();
        }
      });
    },
    timeoutMs,
  ),
  chaos(
    "chaos.stall",
    "A network that stands still for a second, and goes on, loses no acknowledged write and no event.",
    keeps,
    async (kit) => {
      await disturbed(kit, async ([proxy]) => {
        for (let count = 0; count < 2; count++) {
          await pause(400);
          proxy?.stall();
          await pause(1_000);
          proxy?.resume();
        }
      });
    },
    timeoutMs,
  ),
  chaos(
    "chaos.slow-link",
    "A watcher on a slow link gets every event, and holds up nobody on a fast one.",
    keeps,
    async (kit) => {
      const proxy = await createProxy(kit.endpoint.address, kit.parts.tls !== undefined);
      try {
        const alone = await writeMany(kit);
        proxy.slow(64 * 1024);
        const slow = kit.watch({ endpoint: createEndpoint(kit.dial("grpc", proxy.address).transport, proxy.address) });
        await slow.started();
        const { made, tookMs } = await writeMany(kit);
        // Longer only where the machine is so busy that they take long without it, too.
        const isHeldUp = tookMs > Math.max(4_000, 3 * alone.tookMs);
        hold(!isHeldUp, `40 writes took ${Math.round(tookMs)} ms while a slow watcher was there`);
        const seen = await slow.take(made.length);
        same(
          seen.map((change) => change.revision),
          made.map((one) => one.revision),
          "the events of the slow watcher",
        );
      } finally {
        await proxy.close();
      }
    },
    timeoutMs,
  ),
  chaos(
    "chaos.replicas",
    "Writers and watchers that go from replica to replica, with connections cut, lose no acknowledged write and no event.",
    { ...keeps, replicas: true },
    async (kit) => {
      await disturbed(kit, async (proxies) => {
        for (let count = 0; count < 10; count++) {
          await pause(250);
          proxies[count % proxies.length]?.cut();
        }
      });
    },
    timeoutMs,
  ),
  chaos(
    "chaos.pause",
    "A store that is paused, and goes on, loses no acknowledged write and no event.",
    killable,
    async (kit) => {
      const store = processOf(kit);
      await disturbed(kit, async () => {
        for (let count = 0; count < 2; count++) {
          await pause(400);
          store.signal("SIGSTOP");
          await pause(1_200);
          store.signal("SIGCONT");
        }
      });
    },
    timeoutMs,
  ),
  chaos(
    "chaos.kill",
    "A store that is killed under load, and started again, has every acknowledged write in the same epoch, or begins another above them.",
    killable,
    async (kit) => {
      const store = processOf(kit);
      await disturbed(kit, async (proxies) => {
        for (let count = 0; count < 3; count++) {
          await pause(500);
          await store.crash();
          for (const [index, proxy] of proxies.entries()) proxy.retarget(store.addresses[index] ?? "");
          await described(kit, store);
        }
      });
    },
    timeoutMs,
  ),
  chaos(
    "chaos.kill-idle",
    "A store that is killed when nothing is under way keeps everything in the same epoch, or begins another above it.",
    killable,
    async (kit) => {
      const store = processOf(kit);
      const made = [await kit.make(1), await kit.make(2)];
      const before = await kit.head();
      await store.crash();
      await described(kit, store, before.revision);
      const { endpoint, close } = again(kit, store);
      const after = await kit.head(kit.subject, endpoint);
      if (after.epoch === before.epoch) {
        for (const one of made)
          same((await kit.get(one.key, { endpoint })).object.revision, one.revision, `the revision of ${one.key.name}`);
        hold(after.revision >= before.revision, `the head went from ${before.revision} back to ${after.revision}`);
      }
      const next = await kit.make(3, { endpoint });
      hold(
        next.revision > before.revision,
        `the first write has revision ${next.revision}, not above ${before.revision}`,
      );
      close();
    },
    timeoutMs,
  ),
  chaos(
    "chaos.kill-resume",
    "A watch of before a kill resumes after it in the same epoch, and is told that it expired in another.",
    killable,
    async (kit) => {
      const store = processOf(kit);
      const first = await kit.make(1);
      const second = await kit.put(first, 2);
      const before = await kit.head();
      await store.crash();
      await described(kit, store, before.revision);
      const { endpoint, close } = again(kit, store);
      const after = await kit.head(kit.subject, endpoint);
      const watcher = kit.watch({ after: first.revision, epoch: before.epoch, endpoint });
      if (after.epoch === before.epoch) {
        await watcher.started();
        same(
          (await watcher.take(1)).map((change) => change.revision),
          [second.revision],
          "the events after the resume",
        );
      } else {
        await watcher.end();
        hold(watcher.isExpired, `the watch of the old epoch ended with ${nameOf(watcher.ended?.code)}`);
      }
      close();
    },
    timeoutMs,
  ),
  chaos(
    "chaos.same-description",
    "A store that was started again gives the same description under the same digest.",
    { verbs: "get", process: true },
    async (kit) => {
      const store = processOf(kit);
      const { digest } = await kit.catalog.describe({});
      await store.crash();
      same(await described(kit, store), digest, "the digest after the start");
    },
    timeoutMs,
  ),
  chaos(
    "chaos.terminate",
    "A store that is asked to end answers what is under way, ends its watches, and exits with code 0.",
    killable,
    async (kit) => {
      const store = processOf(kit);
      const watcher = kit.watch();
      await watcher.started();
      const writes = Array.from({ length: 20 }, () => codeOf(kit.make()));
      await pause(5);
      const { how, isCut, isUntold } = await store.terminate();
      await store.start();
      await described(kit, store);
      hold(!isCut, "it did not end, and was killed");
      if (!isUntold) same(how, "code 0", "how the process ended");
      for (const write of await Promise.all(writes)) {
        hold(
          write === undefined ||
            nameOf(write) === "UNAVAILABLE" ||
            nameOf(write) === "INTERNAL" ||
            nameOf(write) === "CANCELED",
          `a write that was under way failed with ${nameOf(write)}`,
        );
      }
      await watcher.end();
      hold(!watcher.isExpired, "the watch was told that it expired");
    },
    timeoutMs,
  ),
];

/** Makes objects that a slow link takes five seconds for, one after the other. */
async function writeMany(kit: Kit): Promise<{ readonly made: readonly Made[]; readonly tookMs: number }> {
  const since = performance.now();
  const made: Made[] = [];
  for (let count = 0; count < 40; count++) made.push(await kit.make("x".repeat(8_000)));
  return { made, tookMs: performance.now() - since };
}

/** Runs a workload through proxies while something happens, and checks its history. */
async function disturbed(kit: Kit, nemesis: (proxies: readonly FaultProxy[]) => Promise<void>): Promise<void> {
  const { endpoints, recorder, description, tls } = kit.parts;
  const first = recorder.operations.length;
  const proxies = await Promise.all(endpoints.map(({ address }) => createProxy(address, tls !== undefined)));
  try {
    const end = await runWorkload(kit, {
      addresses: () => proxies.map((proxy) => proxy.address),
      nemesis: () => nemesis(proxies),
    });
    hold(end.acknowledged >= enough, `only ${end.acknowledged} writes were acknowledged`);
  } finally {
    await Promise.all(proxies.map((proxy) => proxy.close()));
  }
  assertHistory(recorder.operations.slice(first), description.revisionScope === 1);
}

function processOf(kit: Kit): StoreProcess {
  if (kit.parts.process === undefined) throw new TypeError("the promise didn't ask for a process");
  return kit.parts.process;
}

/** Waits until a store that was started answers, tells it what was shown, and gives its digest. */
async function described(kit: Kit, store: StoreProcess, notBelow = 0n): Promise<string> {
  const until = performance.now() + readyMs;
  const gateway = { name: "annex-certify", version: "1", minors: [0], notBelow };
  for (;;) {
    const connection = kit.parts.dial("grpc", store.addresses[0]);
    try {
      return (await createClient(CatalogService, connection.transport).describe({ gateway })).digest;
    } catch (error) {
      if (performance.now() > until) throw error;
      await pause(50);
    } finally {
      connection.close();
    }
  }
}

/** The endpoint of a store that was started again. */
function again(kit: Kit, store: StoreProcess) {
  const address = store.addresses[0] ?? "";
  const connection = kit.parts.dial("grpc", address);
  return { endpoint: createEndpoint(connection.transport, address), close: connection.close };
}
