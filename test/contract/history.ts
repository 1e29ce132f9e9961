/**
 * Whether a history of calls and answers can be one of a store that keeps the contract.
 *
 * Revisions say in which order things happened, so one pass in their order is enough: linear, but for
 * sorting. A write whose outcome nobody knows (the connection broke) may have happened or not, until
 * somebody sees it. What belongs to different epochs is never compared.
 * Source: etcd tests/robustness/validate; peers of the watch properties there.
 */
import { readFileSync } from "node:fs";
import { describeOperation, type Operation } from "./operation.ts";
import type { HistoryHead } from "./recorder.ts";

/** What must hold of a history. */
export const historyRules = {
  unique: "No two acknowledged writes have the same revision.",
  "real-time": "A write that began after another was acknowledged has a higher revision.",
  "compare-and-swap": "Each acknowledged write was made to the state that it required: none was lost, none made twice.",
  fresh: "A read sees every write that was acknowledged before it, and a state that somebody wrote.",
  heads: "Every mark is at least each write that was acknowledged before it.",
  lists: "A list is the state at its mark, made of the writes up to it and of nothing else.",
  ordered: "The events of a watch come in the order of their revisions, above its start, each once.",
  reliable: "A watch has told every acknowledged write up to where it has come: none is missing.",
  true: "An event is what was written under its revision, and the state before is the one before.",
  epochs: "A new epoch begins above everything that the ones before have shown.",
} as const;

/** A rule's name. */
export type HistoryRule = keyof typeof historyRules;

/** One break of a rule, and the operations that show it, oldest first. */
export interface Violation {
  readonly rule: HistoryRule;
  readonly message: string;
  readonly evidence: readonly Operation[];
}

/** A change that is known to have been made. */
interface Commit {
  readonly key: string;
  readonly resource: string;
  readonly revision: bigint;
  readonly type: "put" | "delete";
  readonly digest: string;
  /** The acknowledged write. Undefined: it is known from an event alone. */
  readonly write: Operation | undefined;
  readonly source: Operation;
}

/** Codes that say nothing about whether a write was made. */
const unknownOutcomes = new Set(["Unavailable", "DeadlineExceeded", "Canceled", "Internal", "Unknown", "Aborted?"]);
const isWrite = (op: Operation) => op.call === "create" || op.call === "update" || op.call === "delete";
const isAcknowledged = (op: Operation) =>
  isWrite(op) && op.code === undefined && op.revision !== undefined && !op.dryRun && !op.unchanged;
const isUnknown = (op: Operation) =>
  isWrite(op) && !op.dryRun && (op.till === undefined || unknownOutcomes.has(op.code ?? ""));
const idOf = (resource: string, key: string) => `${resource} ${key}`;
const byRevision = (a: { readonly revision: bigint }, b: { readonly revision: bigint }) =>
  a.revision < b.revision ? -1 : a.revision > b.revision ? 1 : 0;

/** Reads a history's file. @throws Error if it is none. */
export function readHistory(file: string): { readonly head: HistoryHead; readonly operations: readonly Operation[] } {
  const [first = "", ...lines] = readFileSync(file, "utf8").split("\n");
  const head = JSON.parse(first) as HistoryHead;
  if (head.annexHistory !== 1) throw new Error(`${file} is no history`);
  return { head, operations: lines.filter((line) => line !== "").map((line) => JSON.parse(line) as Operation) };
}

/** Gives what is wrong with a history, at most `most` of each rule. */
export function checkHistory(
  head: Pick<HistoryHead, "storeScope">,
  operations: readonly Operation[],
  most = 3,
): readonly Violation[] {
  const violations: Violation[] = [];
  const counts = new Map<HistoryRule, number>();
  const fault = (rule: HistoryRule, message: string, evidence: readonly (Operation | undefined)[]) => {
    const count = counts.get(rule) ?? 0;
    counts.set(rule, count + 1);
    if (count < most) violations.push({ rule, message, evidence: evidence.filter((op) => op !== undefined) });
  };
  const epochs = splitEpochs(operations);
  checkEpochs(epochs, fault);
  for (const { operations: own } of epochs) {
    // One counter for each resource: each is a history of its own.
    const scopes = head.storeScope ? [own] : [...Map.groupBy(own, (op) => op.resource).values()];
    for (const scope of scopes) checkScope(scope, fault);
  }
  return violations;
}

/** A violation as lines for people. */
export function describeViolation({ rule, message, evidence }: Violation): string {
  return [`history.${rule}: ${message}`, ...evidence.map((op) => `    ${describeOperation(op)}`)].join("\n");
}

type Fault = (rule: HistoryRule, message: string, evidence: readonly (Operation | undefined)[]) => void;

interface Epoch {
  readonly name: string;
  readonly operations: Operation[];
}

/**
 * Gives each operation to its epoch. One that names none belongs to nobody where a change may have come
 * before its answer: after the last that named the old epoch, and before the first that named the new one.
 */
function splitEpochs(operations: readonly Operation[]): readonly Epoch[] {
  const epochs = new Map<string, Epoch>();
  const changes: { readonly at: number; readonly name: string }[] = [];
  const watches = new Map<number, string>();
  const lastNamed = new Map<string, number>();
  for (const op of operations) {
    const name = op.epoch;
    if (!name || op.frame === "expired") continue;
    lastNamed.set(name, op.at);
    if (op.frame === "started" && op.watch !== undefined) watches.set(op.watch, name);
    if (epochs.has(name)) continue;
    epochs.set(name, { name, operations: [] });
    changes.push({ at: op.at, name });
  }
  const epochAt = (time: number) => changes.findLast((change) => change.at <= time)?.name ?? changes[0]?.name ?? "";
  if (epochs.size === 0) return [{ name: "", operations: [...operations] }];
  for (const op of operations) {
    const watch = op.call === "watch" ? op.id : op.watch;
    const began = epochAt(op.at);
    const isLast = began === changes.at(-1)?.name;
    const isWhole = isLast || op.till === undefined || op.till <= (lastNamed.get(began) ?? 0);
    const name = watch !== undefined ? watches.get(watch) : op.epoch || (isWhole ? began : undefined);
    if (name !== undefined) epochs.get(name)?.operations.push(op);
  }
  return [...epochs.values()];
}

function checkEpochs(epochs: readonly Epoch[], fault: Fault): void {
  let shown: { readonly revision: bigint; readonly op: Operation } | undefined;
  for (const [index, { operations }] of epochs.entries()) {
    let most = shown;
    for (const op of operations) {
      const revision = BigInt(op.revision ?? (op.frame === "expired" ? "0" : (op.mark ?? "0")));
      if (index > 0 && shown !== undefined && isAcknowledged(op) && revision <= shown.revision) {
        fault("epochs", `a write of a new epoch has revision ${revision}; the one before has shown ${shown.revision}`, [
          shown.op,
          op,
        ]);
      }
      if (revision > (most?.revision ?? 0n)) most = { revision, op };
    }
    shown = most;
  }
}

function checkScope(operations: readonly Operation[], fault: Fault): void {
  const acknowledged = operations.filter(isAcknowledged).map(
    (op): Commit => ({
      key: op.key ?? "",
      resource: op.resource,
      revision: BigInt(op.revision ?? 0),
      type: op.call === "delete" ? "delete" : "put",
      digest: op.digest ?? op.sent ?? "",
      write: op,
      source: op,
    }),
  );
  acknowledged.sort(byRevision);
  checkUnique(acknowledged, fault);
  checkRealTime(acknowledged, fault);
  const commits = commitsOf(acknowledged, operations, fault);
  const uncertain = new Set(operations.filter(isUnknown).map((op) => idOf(op.resource, op.key ?? "")));
  checkSwaps(commits, uncertain, fault);
  checkReads(operations, commits, uncertain, fault);
  checkHeads(operations, acknowledged, fault);
  checkLists(operations, commits, uncertain, fault);
  checkWatches(operations, commits, fault);
}

function checkUnique(acknowledged: readonly Commit[], fault: Fault): void {
  for (const [index, commit] of acknowledged.entries()) {
    const before = acknowledged[index - 1];
    if (before === undefined || before.revision !== commit.revision) continue;
    const isRepeat = before.write?.requestId !== undefined && before.write.requestId === commit.write?.requestId;
    if (!isRepeat) fault("unique", `two writes have revision ${commit.revision}`, [before.write, commit.write]);
  }
}

function checkRealTime(acknowledged: readonly Commit[], fault: Fault): void {
  let latest: Operation | undefined;
  for (const { write, revision } of acknowledged) {
    if (
      write?.till !== undefined &&
      latest !== undefined &&
      write.till < latest.at &&
      write.requestId !== latest.requestId
    ) {
      fault(
        "real-time",
        `the write with revision ${revision} was acknowledged before the one with ${latest.revision} began`,
        [write, latest],
      );
    }
    if (write !== undefined && write.at > (latest?.at ?? -1)) latest = write;
  }
}

/** Every change that is known, in order: acknowledged writes, and events of writes whose outcome wasn't told. */
function commitsOf(acknowledged: readonly Commit[], operations: readonly Operation[], fault: Fault): readonly Commit[] {
  const ours = new Set(operations.filter(isWrite).map((op) => idOf(op.resource, op.key ?? "")));
  const known = new Map(
    acknowledged.map((commit) => [`${idOf(commit.resource, commit.key)} ${commit.revision}`, commit]),
  );
  const byEvent = new Map<string, Commit>();
  for (const op of operations) {
    for (const [type, key, text, digest] of op.events ?? []) {
      const id = `${idOf(op.resource, key)} ${text}`;
      const commit = known.get(id) ?? byEvent.get(id);
      if (commit === undefined) {
        const found: Commit = {
          key,
          resource: op.resource,
          revision: BigInt(text),
          type,
          digest,
          write: undefined,
          source: op,
        };
        if (ours.has(idOf(op.resource, key))) byEvent.set(id, found);
      } else if (commit.type !== type || commit.digest !== digest) {
        fault("true", `the event ${type} ${key}@${text} is not what was written`, [commit.source, op]);
      }
    }
  }
  return [...acknowledged, ...byEvent.values()].sort(byRevision);
}

function checkSwaps(commits: readonly Commit[], uncertain: ReadonlySet<string>, fault: Fault): void {
  const states = new Map<string, Commit>();
  for (const commit of commits) {
    const id = idOf(commit.resource, commit.key);
    const before = states.get(id);
    const { write } = commit;
    if (before?.revision === commit.revision) continue;
    states.set(id, commit);
    // What was made by a write whose outcome nobody knows, and nobody has seen, can stand between.
    if (write === undefined || uncertain.has(id)) continue;
    if (write.call === "create" && before?.type === "put") {
      fault(
        "compare-and-swap",
        `a create of ${commit.key} was acknowledged at ${commit.revision}, where it was there at ${before.revision}`,
        [before.source, write],
      );
    }
    if (write.call !== "create" && before !== undefined && before.type === "delete") {
      fault(
        "compare-and-swap",
        `${write.call} of ${commit.key} was acknowledged at ${commit.revision}, where it was deleted at ${before.revision}`,
        [before.source, write],
      );
    }
    if (write.required !== undefined && before !== undefined && BigInt(write.required) !== before.revision) {
      fault(
        "compare-and-swap",
        `${write.call} of ${commit.key} required ${write.required}, and was made to ${before.revision}`,
        [before.source, write],
      );
    }
  }
}

/** For each key, gets in the order in which they began, against the writes acknowledged before each. */
function checkReads(
  operations: readonly Operation[],
  commits: readonly Commit[],
  uncertain: ReadonlySet<string>,
  fault: Fault,
): void {
  const gets = operations.filter(
    (op) => op.call === "get" && !op.projected && (op.read === undefined || op.read === "latest"),
  );
  const getsOf = Map.groupBy(gets, (op) => idOf(op.resource, op.key ?? ""));
  const commitsOfKey = Map.groupBy(commits, (commit) => idOf(commit.resource, commit.key));
  for (const [id, reads] of getsOf) {
    const own = commitsOfKey.get(id) ?? [];
    const done = own
      .filter((commit) => commit.write?.till !== undefined)
      .sort((a, b) => (a.write?.till ?? 0) - (b.write?.till ?? 0));
    const byNumber = new Map(own.map((commit) => [String(commit.revision), commit]));
    let next = 0;
    let last: Commit | undefined;
    for (const read of reads.sort((a, b) => a.at - b.at)) {
      for (
        let commit = done[next];
        commit?.write?.till !== undefined && commit.write.till < read.at;
        commit = done[++next]
      ) {
        if (last === undefined || commit.revision > last.revision) last = commit;
      }
      checkRead(read, last, byNumber, own, uncertain.has(id), fault);
    }
  }
}

function checkRead(
  read: Operation,
  last: Commit | undefined,
  byNumber: ReadonlyMap<string, Commit>,
  own: readonly Commit[],
  isUncertain: boolean,
  fault: Fault,
): void {
  if (read.code === "NotFound") {
    const isGone =
      last === undefined ||
      last.type === "delete" ||
      isUncertain ||
      own.some((one) => one.type === "delete" && one.revision > last.revision);
    if (!isGone)
      fault("fresh", `${read.key} is NOT_FOUND, and was written at ${last?.revision} before the read began`, [
        last?.source,
        read,
      ]);
    return;
  }
  if (read.code !== undefined || read.revision === undefined) return;
  if (last !== undefined && BigInt(read.revision) < last.revision) {
    fault(
      "fresh",
      `${read.key} is read at ${read.revision}, and was written at ${last.revision} before the read began`,
      [last.source, read],
    );
  }
  const commit = byNumber.get(read.revision);
  if (commit === undefined) {
    if (own.length > 0 && !isUncertain)
      fault("fresh", `${read.key} is read at ${read.revision}, which nobody wrote`, [own.at(-1)?.source, read]);
    return;
  }
  if (
    commit.type === "delete" ||
    (commit.digest !== "" && read.digest !== undefined && commit.digest !== read.digest)
  ) {
    fault("fresh", `${read.key} is read at ${read.revision}, and is not what was written there`, [commit.source, read]);
  }
  if (commit.write !== undefined && read.till !== undefined && commit.write.at > read.till) {
    fault("fresh", `${read.key} is read at ${read.revision} before that was written`, [read, commit.source]);
  }
}

function checkHeads(operations: readonly Operation[], acknowledged: readonly Commit[], fault: Fault): void {
  const done = acknowledged
    .filter((commit) => commit.write?.till !== undefined)
    .sort((a, b) => (a.write?.till ?? 0) - (b.write?.till ?? 0));
  const isHead = (op: Operation) =>
    op.call === "currentRevision" ||
    (op.call === "list" && !op.continued && (op.read === undefined || op.read === "latest"));
  const heads = operations.filter((op) => op.mark !== undefined && op.code === undefined && isHead(op));
  let next = 0;
  let last: Commit | undefined;
  for (const op of heads.sort((a, b) => a.at - b.at)) {
    for (
      let commit = done[next];
      commit?.write?.till !== undefined && commit.write.till < op.at;
      commit = done[++next]
    ) {
      if (last === undefined || commit.revision > last.revision) last = commit;
    }
    if (last !== undefined && BigInt(op.mark ?? 0) < last.revision) {
      fault("heads", `the mark ${op.mark} is below ${last.revision}, acknowledged before`, [last.write, op]);
    }
  }
}

/** Whole lists in the order of their marks, against the state that the commits up to each make. */
function checkLists(
  operations: readonly Operation[],
  commits: readonly Commit[],
  uncertain: ReadonlySet<string>,
  fault: Fault,
): void {
  const lists = operations.filter(
    (op) => op.call === "list" && op.end === "whole" && !op.continued && !op.selected && op.items !== undefined,
  );
  lists.sort((a, b) => (BigInt(a.mark ?? 0) < BigInt(b.mark ?? 0) ? -1 : 1));
  const ours = new Set(commits.map((commit) => idOf(commit.resource, commit.key)));
  const states = new Map<string, Map<string, Commit>>();
  let next = 0;
  for (const list of lists) {
    const mark = BigInt(list.mark ?? 0);
    for (let commit = commits[next]; commit !== undefined && commit.revision <= mark; commit = commits[++next]) {
      const id = `${commit.resource} ${namespaceOf(commit.key)}`;
      const state = states.get(id) ?? new Map<string, Commit>();
      states.set(id, state);
      if (commit.type === "put") state.set(commit.key, commit);
      else state.delete(commit.key);
    }
    if (list.namespace === "" && [...ours].some((id) => !id.includes(" /"))) continue;
    const state = states.get(`${list.resource} ${list.namespace}`) ?? new Map<string, Commit>();
    const found = new Map((list.items ?? []).map((item) => [item[0], item]));
    for (const [key, revision] of list.items ?? []) {
      const id = idOf(list.resource, key);
      if (!ours.has(id) || uncertain.has(id)) continue;
      const commit = state.get(key);
      if (String(commit?.revision) !== revision) {
        fault(
          "lists",
          `the list at ${mark} has ${key}@${revision}; the writes up to it make it ${commit === undefined ? "gone" : commit.revision}`,
          [commit?.source, list],
        );
      }
    }
    for (const [key, commit] of state) {
      if (!found.has(key) && !uncertain.has(idOf(list.resource, key))) {
        fault("lists", `the list at ${mark} lacks ${key}, written at ${commit.revision}`, [commit.source, list]);
      }
    }
  }
}

const namespaceOf = (key: string) => key.slice(0, key.indexOf("/"));

function checkWatches(operations: readonly Operation[], commits: readonly Commit[], fault: Fault): void {
  const frames = Map.groupBy(
    operations.filter((op) => op.watch !== undefined),
    (op) => op.watch,
  );
  const before = new Map<string, bigint>();
  const previous = new Map<string, bigint>();
  for (const commit of commits) {
    const id = idOf(commit.resource, commit.key);
    const last = before.get(id);
    if (last !== undefined) previous.set(`${id} ${commit.revision}`, last);
    before.set(id, commit.type === "delete" ? 0n : commit.revision);
  }
  const written = Map.groupBy(
    commits.filter((commit) => commit.write !== undefined),
    (commit) => commit.resource,
  );
  for (const own of frames.values()) checkWatch(own, written.get(own[0]?.resource ?? "") ?? [], previous, fault);
}

/** Merges a watch's frames with the acknowledged writes of its collection, both in order. */
function checkWatch(
  frames: readonly Operation[],
  written: readonly Commit[],
  previous: ReadonlyMap<string, bigint>,
  fault: Fault,
): void {
  const started = frames.find((op) => op.frame === "started");
  if (started === undefined || frames.some((op) => op.frame === "initialEnd")) return;
  const isOf = (commit: Commit) => started.namespace === "" || namespaceOf(commit.key) === started.namespace;
  let reached = BigInt(started.mark ?? 0);
  let progressed = reached;
  let next = written.findIndex((commit) => commit.revision > reached);
  if (next < 0) next = written.length;

  /** Every write below a revision must have been told by now. */
  function mustHave(upTo: bigint, isInclusive: boolean, op: Operation): void {
    for (let commit = written[next]; commit !== undefined; commit = written[++next]) {
      if (commit.revision > upTo || (commit.revision === upTo && !isInclusive)) return;
      if (isOf(commit))
        fault(
          "reliable",
          `the watch has come to ${upTo}, and has not told ${commit.type} ${commit.key}@${commit.revision}`,
          [started, commit.source, op],
        );
    }
  }

  for (const op of frames) {
    if (op.frame === "progress") {
      const mark = BigInt(op.mark ?? 0);
      if (mark < reached) fault("ordered", `progress ${mark} came after ${reached}`, [started, op]);
      mustHave(mark, true, op);
      if (mark > reached) reached = mark;
      progressed = mark;
    }
    for (const [type, key, text, , was] of op.events ?? []) {
      const revision = BigInt(text);
      if (revision <= reached) {
        fault(
          "ordered",
          `the event ${type} ${key}@${revision} came after ${reached === progressed ? "progress" : "event"} ${reached}`,
          [started, op],
        );
        continue;
      }
      mustHave(revision, false, op);
      while (written[next]?.revision === revision) next += 1;
      reached = revision;
      const wanted = previous.get(`${idOf(op.resource, key)} ${revision}`);
      if (was !== "" && wanted !== undefined && wanted !== BigInt(was) && !(wanted === 0n && type === "delete")) {
        fault(
          "true",
          `the event ${type} ${key}@${revision} carries the state at ${was} as the one before; that was ${wanted || "none"}`,
          [started, op],
        );
      }
    }
  }
}
