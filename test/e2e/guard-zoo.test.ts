/**
 * What a store says of its revisions is checked as it flows: each mutant of the zoo that lies of them is told in the
 * log and counted, by the reason that it has, and a stock informer behind the gateway ends with what the store lists,
 * or is refused with 503.
 *
 * Writes go on in the store itself, whose history is forgotten now and then, so that the gateway lists and resumes
 * often; an honest store that is treated alike is never accused.
 */
import assert from "node:assert/strict";
import { describe, type TestContext, test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import {
  CustomObjectsApi,
  KubeConfig,
  type KubernetesListObject,
  type KubernetesObject,
  ListWatch,
  Watch,
} from "@kubernetes/client-node";
import { resource } from "../contract/contract.testing.ts";
import { honestStore, type WholeStore } from "../contract/zoo/honest.ts";
import { mutants } from "../contract/zoo/zoo.ts";
import { eventually } from "../support/eventually.ts";
import { startTestGateway, type TestGateway } from "../support/gateway.ts";
import { createZoo, reasonsIn, stateOf, textOf } from "./zoo-store.ts";

/** How a mutant is brought to lie, and what the guard says then. */
interface Lie {
  readonly reason: RegExp;
  /** Objects that stay. Default: one. More than 500 are listed in pages, and one is written between two of them. */
  readonly objects?: number;
  /** Milliseconds between the writes of a round: polls are that far from each other. Default: 0. */
  readonly paceMs?: number;
  /** Whether it is started again, from nothing; a mutant is then left alone until it is seen. */
  readonly isRestarted?: boolean;
}

const lateEvent: Lie = { reason: /^an event of "ns\/\S+" at revision \d+ came after revision \d+$/ };
const lowMark = /^the same epoch is at revision \d+, and \d+ was shown before$/;
const lowPoll = /^"ns\/\S+" was removed after \d+ without a revision of its own$|^progress of \S+ \d+ came after/;

/** Four stores, gateways and informers share a process, which others leave little of a machine. */
const patience = { timeoutMs: 240_000 };

/** The one that takes longest is first. */
const seen: Readonly<Record<string, Lie>> = {
  "not-below-ignored": { reason: /^the epoch \S+ is at revision \d+, and \d+ was shown before$/, isRestarted: true },
  "out-of-order": lateEvent,
  "replay-on-resume": lateEvent,
  lookback: lateEvent,
  "old-delete-revision": lateEvent,
  "told-twice": lateEvent,
  "progress-ahead": lateEvent,
  "events-of-the-refused": lateEvent,
  "max-item-mark": { reason: lowMark },
  "empty-list-revision": { reason: lowMark, objects: 0 },
  "max-item-mark-polled": { reason: new RegExp(`${lowPoll.source}|${lowMark.source}`), paceMs: 1_500 },
  "live-pages": { reason: /^a list at revision \d+ has "ns\/\S+" at \d+$/, objects: 600 },
  "mark-too-young": { reason: /^a list at revision \d+ has a page at \d+$/, objects: 600 },
};

const noTrace = "what was left out leaves no trace in the revisions of the rest";
const notRead = "the gateway reads none of it";
const onlyLate = "it says less than it could, and nothing that isn't so";

/** Mutants of the same promises in whose revisions nothing contradicts itself. */
const unseen: Readonly<Record<string, string>> = {
  "skipped-gap": noTrace,
  "swallowed-410": noTrace,
  "compacted-deletes": noTrace,
  "dropped-for-slow": noTrace,
  "silent-after-reconnect": noTrace,
  "late-start": noTrace,
  "window-too-wide": "history that is gone is lost, whatever was promised",
  "boundary-off-by-one": "history that is told to be gone is lost",
  "skeleton-deletes": "the copy has the last state",
  "previous-of-the-first": "the copy has the state before",
  "previous-of-the-dead": "the copy has the state before",
  "live-previous": "the copy has the state before",
  "no-initial-end": notRead,
  "end-on-every-bookmark": notRead,
  "namespace-prefix-watch": notRead,
  "locked-send": onlyLate,
  "no-progress": onlyLate,
  "head-of-the-other": onlyLate,
  "everything-to-everyone": "another resource's object comes under a revision of its own",
  "old-epochs-welcome": "the gateway compares epochs itself",
  "epoch-kept": "it begins above what was shown",
};

/** Promises of order and of marks, which are what the guard checks. */
const isGuards = (promise: string) =>
  /^(watch|progress|epoch|polled)\.|^list\.(mark|empty|one-state|snapshot)/.test(promise);

test("each mutant of the zoo that breaks a promise of order or of marks is one that the guard sees, or can't", () => {
  const names = mutants.filter(({ breaks }) => breaks.some(isGuards)).map(({ name }) => name);
  assert.deepEqual([...Object.keys(seen), ...Object.keys(unseen)].sort(), names.sort());
});

describe("under the guard an informer ends with what is there, or with a clear error", { concurrency: 4 }, () => {
  for (const [name, lie] of Object.entries(seen)) {
    const mutant = mutants.find((one) => one.name === name);
    test(`${name} is seen`, async (t) => {
      const make = () => mutant?.make()[0]?.store as WholeStore;
      const told = await follow(t, make, lie);
      assert.ok(told.violations > 0);
      for (const reason of told.reasons) assert.match(reason, lie.reason);
    });
  }

  test("and an honest store is never accused, though its history is forgotten and it begins again from nothing", async (t) => {
    const told = await follow(t, honestStore, { isRestarted: true, objects: 600 });
    assert.deepEqual(told, { reasons: [], violations: 0 });
  });
});

test("a resource whose store lied is in quarantine where the configuration says so, and others are not", async (t) => {
  const mutant = mutants.find(({ name }) => name === "told-twice");
  const liar = createZoo(() => mutant?.make()[0]?.store as WholeStore, 1);
  await liar.begin();
  const gateway = await startTestGateway({ stores: { zoo: liar.served() }, quarantine: true });
  t.after(() => gateway.stop());
  let hasBegun = false;
  const onText = () => {
    hasBegun = true;
  };
  const watching = gateway.ask(`${path}?watch=true`, { onText });
  await eventually(() => hasBegun, "the watch shows what is there");
  let round = 0;
  await eventually(
    async () => {
      await liar.write(++round, 0);
      return reasonsIn(gateway).length > 0;
    },
    "the guard sees it",
    patience,
  );
  assert.match((await watching).text, /"code":410/);
  const asked = [
    { path },
    { path: `${path}?watch=true` },
    { path: `${path}?resourceVersion=0` },
    { path: `/apis/${resource.group}/${resource.version}/namespaces/ns/${resource.plural}/z` },
    { path: `/apis/${resource.group}/${resource.version}/namespaces/ns/${resource.plural}`, method: "POST", body: {} },
  ];
  for (const { path: one, ...options } of asked) {
    const { status, text, headers } = await gateway.ask(one, options);
    assert.equal(status, 503, `${one}: ${text}`);
    assert.match(text, /are in quarantine: their store told of its revisions what can't be true/);
    assert.equal(headers["retry-after"], "5");
  }
  const { status } = await gateway.ask(`/apis/${resource.group}/${resource.version}/others`);
  assert.equal(status, 200);
  assert.match(
    (await gateway.ask("/metrics")).text,
    /^annex_store_feed_state\{.*resource="things".*state="quarantined".*\} 1$/m,
  );
});

/** Rounds for an honest store, which is started again at its last; a mutant has as many as it takes. */
const honestRounds = 20;
const forgetEvery = 5;
/** A client that goes on at once, however often it was refused. */
const againMs = 50;

/** Has an informer follow a store until the guard has seen it lie, and then until it is at rest. */
async function follow(t: TestContext, make: () => WholeStore, lie: Partial<Lie>) {
  const zoo = createZoo(make, lie.objects ?? 1);
  await zoo.begin();
  const gateway = await startTestGateway({ stores: { zoo: zoo.served() } });
  t.after(() => gateway.stop());
  const informer = await startInformer(t, gateway);
  await eventually(() => informer.isListed(), "the informer has listed");
  const isOver = (round: number) => (lie.reason === undefined ? round === honestRounds : reasonsIn(gateway).length > 0);
  let round = 0;
  await eventually(
    async () => {
      if (round === honestRounds && lie.isRestarted) return isOver(round);
      round += 1;
      await zoo.write(round, lie.paceMs ?? 0);
      if (round % forgetEvery === 0) zoo.forget();
      if (round === honestRounds && lie.isRestarted) {
        await zoo.begin();
        await gateway.replace("zoo", zoo.served());
      }
      return isOver(round);
    },
    "the guard sees it",
    patience,
  );
  await zoo.rest();
  const atRest = informer.refusals();
  const refusal = async () => informer.refusals() > atRest && (await isRefusedClearly(gateway));
  const isEqual = async () => informer.state() === stateOf(await zoo.list());
  await eventually(
    async () => (await isEqual()) || (await refusal()),
    "the informer has what the store lists",
    patience,
  );
  if (lie.reason === undefined)
    await eventually(async () => (await watchOnce(gateway)).status === 200, "an honest store can be watched");
  return { reasons: reasonsIn(gateway), violations: await violationsOf(gateway) };
}

const path = `/apis/${resource.group}/${resource.version}/${resource.plural}`;

/** @kubernetes/client-node's, as it is, but for its pauses; who uses it starts it again after an error. */
async function startInformer(t: TestContext, gateway: TestGateway) {
  const kubeconfig = new KubeConfig();
  kubeconfig.loadFromFile(await gateway.kubeconfig());
  const api = kubeconfig.makeApiClient(CustomObjectsApi);
  let isListed = false;
  let refusals = 0;
  const list = async (): Promise<KubernetesListObject<KubernetesObject>> => {
    const found = await api.listClusterCustomObject(resource);
    isListed = true;
    return found;
  };
  const shorter = { delayFn: () => pause(againMs) };
  const informer = new ListWatch(path, new Watch(kubeconfig), list, false, undefined, undefined, shorter);
  let isStopped = false;
  const start = () => {
    if (!isStopped) void informer.start();
  };
  informer.on("error", ({ statusCode }: { statusCode?: number }) => {
    if (statusCode === 503) refusals += 1;
    setTimeout(start, againMs);
  });
  t.after(async () => {
    isStopped = true;
    await informer.stop();
  });
  start();
  return {
    isListed: () => isListed,
    refusals: () => refusals,
    state: () =>
      textOf(
        informer
          .list()
          .map(({ metadata }) => [`${metadata?.namespace}/${metadata?.name}`, metadata?.resourceVersion ?? ""]),
      ),
  };
}

const watchOnce = async (gateway: TestGateway) => await gateway.ask(`${path}?watch=true&timeoutSeconds=1`);

async function isRefusedClearly(gateway: TestGateway): Promise<boolean> {
  const { status, text } = await watchOnce(gateway);
  return status === 503 && text.includes("tells of its revisions what can't be true");
}

async function violationsOf(gateway: TestGateway): Promise<number> {
  const { text } = await gateway.ask("/metrics");
  return Number(/^annex_store_revision_violations_total\{.*store="zoo".*\} (\d+)$/m.exec(text)?.[1] ?? 0);
}
