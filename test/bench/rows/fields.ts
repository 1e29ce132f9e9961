/**
 * Writes with managedFields, beside kube-apiserver's of the same definition: creates, updates, and applies of
 * objects that ten managers share; and what tracking adds.
 *
 * An object whose managedFields were reset isn't tracked until it is applied: so the same write is measured with
 * tracking and without. A create is always tracked; what that costs is measured by itself.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "yaml";
import type { JsonObject } from "../../../gateway/apimachinery/json.ts";
import { createFieldScopes, type FieldDefinition, trackUpdate } from "../../../gateway/apply/apply.ts";
import { root } from "../../support/checkout.ts";
import type { Client } from "../../support/client.ts";
import { costsByTurns, type Load, runFor } from "../by-turns.ts";
import { type Peer, startKubeApiserver } from "../peer.ts";
import type { Figure, Row } from "../row.ts";
import { type Subject, startSubject } from "../subject.ts";

/** Writers, each with a connection and an object of its own, so that none is refused for another's write. */
const writers = 16;
/** What each writes, one after the other, between two looks at the CPU: of 10 KB less, since kube-apiserver has seconds to do for more. */
const batches = { usual: 4, ofLarge: 1 };
const managers = 10;
/** CPU-seconds of writes of all kinds before Annex's count: its compiler is done only after some ten thousand. */
const startSeconds = 14;
const crds = join(root, "stores/sql/examples");
const widgets = "/apis/example.annex.dev/v1/namespaces/default/widgets";
const json = "application/json";
const merge = "application/merge-patch+json";
const apply = "application/apply-patch+yaml";
/** The least of kube-apiserver's CPU ÷ ours, and the most percent that tracking adds to a write. */
const leastRatio = 3;
const mostAdded = 30;
const untracked = ", untracked";

export const fields: Row = {
  name: "fields",
  about: `writes of objects with managedFields by ${writers} clients: CPU of all that serves, a write`,
  async run({ skip }) {
    const subject = await startSubject({ crds });
    try {
      const peer = await startKubeApiserver({ crds, skip });
      try {
        return await measure(subject, peer);
      } finally {
        await peer?.stop();
      }
    } finally {
      await subject.stop();
    }
  },
};

async function measure(subject: Subject, peer: Peer | undefined): Promise<Figure[]> {
  const servers = (peer === undefined ? [subject] : [subject, peer]).map(serverOf);
  const figures: Figure[] = [];
  try {
    for (const { untilServed } of servers) await untilServed();
    for (const { each, load } of servers.slice(0, 1)) {
      await each((writer) => created(`mixed-${writer}`));
      await runFor(load(mixed, batches.usual), startSeconds);
    }
    for (const { prepare, kinds, batch = batches.usual } of groups) {
      for (const server of servers) await prepare?.(server);
      const costs = await costsByTurns(kinds.flatMap(([, ask]) => servers.map((server) => server.load(ask, batch))));
      for (const [index, [what]] of kinds.entries()) {
        const [annex = Number.NaN, kube] = costs.slice(index * servers.length, (index + 1) * servers.length);
        const target = what.endsWith(untracked) ? {} : { target: { peerRatio: leastRatio } };
        figures.push({ what, unit: "µs", annex, ...(kube === undefined ? {} : { peer: kube, ...target }) });
      }
    }
  } finally {
    for (const { close } of servers) close();
  }
  return [...figures, ...addedByTracking(figures)];
}

function addedByTracking(figures: readonly Figure[]): Figure[] {
  const cost = (what: string) => figures.find((figure) => figure.what === what)?.annex ?? Number.NaN;
  const tracking = trackingOfCreate();
  const added = (what: string, share: number): Figure => ({
    what: `what tracking adds to ${what}`,
    unit: "%",
    annex: share * 100,
    target: { atMost: mostAdded },
  });
  return [
    { what: "tracking of a create by itself, 1 KB", unit: "µs", annex: tracking },
    added("a create", tracking / (cost("create, 1 KB") - tracking)),
    added("an update", cost("update, 1 KB") / cost(`update, 1 KB${untracked}`) - 1),
    added("a patch", cost("patch of a field, 1 KB") / cost(`patch of a field, 1 KB${untracked}`) - 1),
  ];
}

/** Gives the nth write of all, by a writer. */
type Ask = (n: number, writer: number, revisionOf: (path: string) => string) => Write;

/** Kinds of writes that are compared with each other, and what they need to be there. */
interface Group {
  prepare?(server: Server): Promise<void>;
  readonly kinds: readonly (readonly [what: string, ask: Ask])[];
  /** Default: the usual. */
  readonly batch?: number;
}

const updating =
  (kind: string): Ask =>
  (n, writer, revisionOf) => {
    const name = `${kind}-${writer}`;
    const metadata = { name, resourceVersion: revisionOf(pathOf(name)) };
    const body = { ...widget(1000, { seed: n }), metadata };
    return { method: "PUT", object: pathOf(name), manager: "bench", type: json, body };
  };
const patching =
  (kind: string): Ask =>
  (n, writer) => {
    const body = { spec: { options: { "option-3": `changed ${n}` } } };
    return { method: "PATCH", object: pathOf(`${kind}-${writer}`), manager: "bench", type: merge, body };
  };

const creating: Ask = (n) => created(`created-${n}`);
const mixed: Ask = (n, writer, revisionOf) => {
  const applying = () => applied(`mixed-${writer}`, 3, widget(1000, { seed: n }));
  const asks = [creating, updating("mixed"), patching("mixed"), applying];
  return (asks[Math.floor(n / writers) % asks.length] as Ask)(n, writer, revisionOf);
};

const groups: readonly Group[] = [
  { kinds: [["create, 1 KB", creating]] },
  {
    async prepare({ each }) {
      await each((writer) => created(`tracked-${writer}`));
      await each((writer) => created(`untracked-${writer}`));
      await each((writer) => reset(`untracked-${writer}`));
    },
    kinds: [
      ["update, 1 KB", updating("tracked")],
      [`update, 1 KB${untracked}`, updating("untracked")],
      ["patch of a field, 1 KB", patching("tracked")],
      [`patch of a field, 1 KB${untracked}`, patching("untracked")],
    ],
  },
  ...[1000, 10_000].flatMap(sharedGroups),
];

/** Objects of so many bytes that ten managers apply: each a tenth of it, then each all of it. */
function sharedGroups(bytes: number): Group[] {
  const [parts, whole, size] = [`parts-${bytes}`, `whole-${bytes}`, `${bytes / 1000} KB of ten managers`];
  const shared =
    (kind: string, part: (manager: number) => JsonObject): NonNullable<Group["prepare"]> =>
    async ({ each }) => {
      for (let manager = 0; manager < managers; manager++)
        await each((writer) => applied(`${kind}-${writer}`, manager, part(manager)));
    };
  const applying =
    (kind: string, next: (n: number, manager: number) => JsonObject): Ask =>
    (n, writer) =>
      applied(`${kind}-${writer}`, n % managers, next(n, n % managers));
  const batch = bytes > 1000 ? batches.ofLarge : batches.usual;
  return [
    {
      batch,
      prepare: shared(parts, (part) => widget(bytes, { part })),
      kinds: [[`apply of a tenth anew, ${size}`, applying(parts, (n, part) => widget(bytes, { part, seed: n }))]],
    },
    {
      batch,
      prepare: shared(whole, () => widget(bytes)),
      kinds: [[`apply of nothing new, ${size}`, applying(whole, () => widget(bytes))]],
    },
    {
      batch,
      kinds: [
        [`apply of one value anew, ${size}`, applying(whole, (n) => widget(bytes, { third: `changed ${n}` }))],
        [`patch of a field, ${size}`, patching(whole)],
      ],
    },
  ];
}

/** A server under measurement. */
interface Server {
  untilServed(): Promise<void>;
  /** Each writer writes once. @throws Error if one is refused. */
  each(write: (writer: number) => Write): Promise<void>;
  /** @param batch what each writer writes between two looks. */
  load(ask: Ask, batch: number): Load;
  close(): void;
}

function serverOf({ pids, client: connect }: Pick<Peer, "pids"> & { client: Subject["client"] }): Server {
  const client = connect({ connections: writers });
  const revisions = new Map<string, string>();
  let next = 0;
  const send = async (write: Write) => {
    revisions.set(write.object, await sent(client, write));
  };
  const all = async (work: (writer: number) => Promise<void>) => {
    await Promise.all(Array.from({ length: writers }, (_, writer) => work(writer)));
  };
  return {
    untilServed: () => untilServed(client),
    each: (write) => all((writer) => send(write(writer))),
    load: (ask, batch) => ({
      pids,
      async run() {
        await all(async (writer) => {
          for (let left = batch; left > 0; left--) await send(ask(++next, writer, (path) => revisions.get(path) ?? ""));
        });
        return writers * batch;
      },
    }),
    close: () => client.close(),
  };
}

/** Microseconds that the work of the field manager takes in a create, of a thread that does nothing else. */
function trackingOfCreate(): number {
  const { spec } = parse(readFileSync(join(crds, "widgets.yaml"), "utf8"));
  const versions = spec.versions.map(({ name, schema }: { name: string; schema: { openAPIV3Schema: object } }) => ({
    name,
    status: true,
    schema: schema.openAPIV3Schema,
  }));
  const definition = { group: spec.group, kind: spec.names.kind, versions } as FieldDefinition;
  const scope = createFieldScopes(definition)("v1", "");
  const now = new Date();
  const times = 2000;
  const next = { ...widget(1000), metadata: { name: "a" } };
  const turn = () => {
    for (let n = 0; n < times; n++) trackUpdate(scope, { live: undefined, next, manager: "bench", now });
  };
  turn();
  const { user: before } = process.cpuUsage();
  turn();
  return (process.cpuUsage().user - before) / times;
}

/**
 * A widget of about so many bytes, a third of them names of fields.
 * @param has.part only every tenth field, beginning with this one. Default: all.
 * @param has.seed other values. Default 0.
 * @param has.third another value in one place.
 */
function widget(bytes: number, has: { part?: number; seed?: number; third?: string } = {}): JsonObject {
  const { part, seed = 0, third } = has;
  const options: JsonObject = {};
  for (let index = 0; index * 45 < bytes - 300; index++) {
    if (part !== undefined && index % managers !== part) continue;
    options[`option-${index}`] = `value ${index} of ${seed}, some words`;
  }
  if (third !== undefined) options["option-3"] = third;
  return { apiVersion: "example.annex.dev/v1", kind: "Widget", spec: { color: "red", options } };
}

/** One write. */
interface Write {
  readonly method: "POST" | "PUT" | "PATCH";
  /** Its path. */
  readonly object: string;
  readonly manager: string;
  readonly type: string;
  readonly body: object;
}

const pathOf = (name: string) => `${widgets}/${name}`;

function created(name: string): Write {
  const body = { ...widget(1000), metadata: { name } };
  return { method: "POST", object: pathOf(name), manager: "bench", type: json, body };
}

function reset(name: string): Write {
  const body = { metadata: { managedFields: [{}] } };
  return { method: "PATCH", object: pathOf(name), manager: "bench", type: merge, body };
}

function applied(name: string, manager: number, object: JsonObject): Write {
  const body = { ...object, metadata: { name } };
  return { method: "PATCH", object: pathOf(name), manager: `manager-${manager}`, type: apply, body };
}

/** @returns the object's resourceVersion after it. @throws Error if it is refused. */
async function sent(client: Client, { method, object, manager, type, body }: Write): Promise<string> {
  const force = type === apply ? "&force=true" : "";
  const path = `${method === "POST" ? widgets : object}?fieldManager=${manager}${force}`;
  const headers = { "Content-Type": type };
  const { status, body: answer } = await client.ask({ method, path, headers, body: JSON.stringify(body) });
  if (status !== 200 && status !== 201) throw new Error(`${method} ${path}: ${status} ${answer.slice(0, 500)}`);
  return /"resourceVersion":"(\d+)"/.exec(answer)?.[1] ?? "";
}

async function untilServed(client: Client): Promise<void> {
  for (let tries = 0; tries < 500; tries++) {
    if ((await client.ask({ path: widgets })).status === 200) return;
    await new Promise<void>((resolve) => setTimeout(resolve, 20));
  }
  throw new Error("the widgets are not served");
}
