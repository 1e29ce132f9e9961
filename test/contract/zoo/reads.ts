/** Mutants that read or list wrongly, or describe themselves wrongly. */
import { Capability } from "../../../gen/annex/store/v1/catalog_pb.js";
import {
  compareKeys,
  type ListCall,
  type ListPage,
  type ResourceDescription,
  type StoredObject,
} from "../../../stores/sdk/sdk.ts";
import { honestStore, polledStore, type WholeStore } from "./honest.ts";
import { type Mutant, mutant, onceIn, pause } from "./mutant.ts";
import { renumbered } from "./renumbered.ts";

const keyText = (object: { readonly namespace: string; readonly name: string }) => `${object.namespace}/${object.name}`;
const maxOf = (items: readonly StoredObject[]) =>
  items.reduce((most, { revision }) => (revision > most ? revision : most), 0n);

/** Changes each object on its way in. */
function storing(honest: WholeStore, change: (json: Uint8Array) => Uint8Array): Partial<WholeStore> {
  return {
    create: (call) => honest.create({ ...call, json: change(call.json) }),
    update: (call) => honest.update({ ...call, json: change(call.json) }),
  };
}

/** Changes each page of a list. */
function listing(
  honest: Pick<WholeStore, "list">,
  change: (page: ListPage, call: ListCall) => ListPage | Promise<ListPage>,
) {
  return { list: async (call: ListCall) => await change(await honest.list(call), call) };
}

const described = (change: (resource: ResourceDescription) => object) => (honest: WholeStore) => ({
  resources: honest.resources.map(change) as ResourceDescription[],
});

export const readMutants: readonly Mutant[] = [
  mutant(
    "empty-list-revision",
    "gives an empty list the revision 1, the lowest there is",
    'kyverno#11574: initial resourceVersion "" is not supported',
    "list.empty",
    (honest) => listing(honest, (page) => (page.items.length === 0 ? { ...page, revision: 1n } : page)),
  ),
  mutant(
    "max-item-mark",
    "takes the greatest item's revision for the list's mark",
    "cozystack, ark: the mark of a list is guessed from its items",
    ["list.mark-is-head", "list.mark-after-delete", "list.empty"],
    (honest) => listing(honest, (page) => ({ ...page, revision: maxOf(page.items) || page.revision })),
  ),
  mutant(
    "max-item-mark-polled",
    "takes the greatest item's revision for the mark of the lists that a watch is made of",
    "cozystack, ark: the mark of a list is guessed from its items",
    ["polled.deletes"],
    (honest) => listing(honest, (page) => ({ ...page, revision: maxOf(page.items) || page.revision })),
    polledStore,
  ),
  mutant(
    "mark-too-young",
    "reads the head after it has read the objects",
    "grafana#105786: a race for the revision that a watch starts at",
    ["list.mark-covers", "list.one-state", "list.snapshot-pages"],
    (honest) => ({
      async list(call) {
        const page = await honest.list(call);
        if (call.continueToken.length > 0 || call.atRevision !== undefined) return page;
        await pause(1);
        const { revision } = await honest.currentRevision(call);
        return { ...page, revision };
      },
    }),
  ),
  mutant(
    "page-cap",
    "cuts a list off at 500 objects, without a token",
    "grafana#129458: a page cap that clients took for the end",
    "list.whole",
    (honest) => {
      const shown = new Map<string, number>();
      return listing(honest, (page, call) => {
        if (call.limit > 0) return page;
        const id = Buffer.from(call.continueToken).toString();
        const before = shown.get(id) ?? 0;
        const items = page.items.slice(0, Math.max(0, 500 - before));
        return { items, revision: page.revision };
      });
    },
  ),
  mutant(
    "live-pages",
    "shows the state of now on every page of a list, under the first page's mark",
    "contract: SNAPSHOT_LIST; storage tests: inconsistent continuation",
    "list.snapshot-pages",
    (honest) => ({
      async list(call) {
        const page = await honest.list(call);
        if (call.continueToken.length === 0) return page;
        const [revision = "0", after = ""] = JSON.parse(Buffer.from(call.continueToken).toString()) as string[];
        const now = await honest.list({ ...call, limit: 0, continueToken: new Uint8Array() });
        const items = now.items.filter((item) => keyText(item) > after);
        return { items, revision: BigInt(revision) };
      },
    }),
  ),
  mutant(
    "offset-pages",
    "counts how many objects to skip, and forgets that objects come and go",
    "contract: pages have each object once",
    ["list.steady-objects", "list.token-unreadable"],
    (honest) => ({
      async list(call) {
        const all = await honest.list({ ...call, limit: 0, continueToken: new Uint8Array() });
        const text = Buffer.from(call.continueToken).toString();
        if (text !== "" && !/^offset \d+$/.test(text)) return await honest.list(call);
        const from = Number(text.slice("offset ".length) || 0);
        const items = all.items.slice(from, call.limit > 0 ? from + call.limit : undefined);
        const next = from + items.length;
        if (next >= all.items.length) return { items, revision: all.revision };
        return { items, revision: all.revision, continueToken: Buffer.from(`offset ${next}`) };
      },
    }),
    () => honestStore([Capability.SNAPSHOT_LIST]),
  ),
  mutant(
    "remaining-of-all",
    "counts all objects as those that remain",
    "contract: remaining counts what is after the last item",
    "list.remaining",
    (honest) =>
      listing(honest, (page) =>
        page.remaining === undefined
          ? page
          : { ...page, remaining: BigInt(page.items.length) + BigInt(Number(page.remaining)) },
      ),
  ),
  mutant(
    "unsorted",
    "lists in the order of creation",
    "contract: a list is in key order",
    ["list.order", "list.all-namespaces"],
    (honest) =>
      listing(honest, (page) => ({
        ...page,
        items: [...page.items].sort((a, b) => (a.revision < b.revision ? -1 : 1)),
      })),
  ),
  mutant(
    "tombstones",
    "lists objects for a while after their delete",
    "contract: a list has the state at its mark",
    "list.deleted",
    (honest) => {
      const gone: StoredObject[] = [];
      return {
        async delete(call) {
          const removed = await honest.delete(call);
          if (call.resource.plural !== "things") return removed;
          gone.push({ ...removed, revision: removed.revision - 1n });
          if (gone.length > 8) gone.shift();
          return removed;
        },
        async list(call) {
          const page = await honest.list(call);
          const here = gone.filter(
            (one) =>
              one.namespace === call.namespace &&
              call.resource.plural === "things" &&
              !page.items.some((item) => keyText(item) === keyText(one)),
          );
          const items = [...page.items, ...here].sort((a, b) => compareKeys(keyText(a), keyText(b)));
          return call.limit > 0 || call.atRevision !== undefined ? page : { ...page, items };
        },
      };
    },
  ),
  mutant(
    "namespace-prefix",
    "lists every namespace whose name begins like the one that was asked for",
    "contract: a list of one namespace",
    "list.namespace",
    (honest) => ({
      async list(call) {
        if (call.namespace === "" || call.continueToken.length > 0 || call.limit > 0) return await honest.list(call);
        const all = await honest.list({ ...call, namespace: "" });
        return { ...all, items: all.items.filter((item) => item.namespace.startsWith(call.namespace)) };
      },
    }),
  ),
  mutant(
    "cached-reads",
    "answers one get in twenty from a copy that lags by one write",
    "contract rule 2: a write is acknowledged only when it is visible",
    ["update.read-your-write", "update.always-compared", "create.read-your-write", "delete.gone", "update.one-winner"],
    (honest) => {
      const isOff = onceIn(20);
      const before = new Map<string, StoredObject>();
      return {
        async update(call) {
          const found = await honest.get({ ...call, atRevision: undefined });
          if (found !== undefined) before.set(keyText(call.key), found);
          return await honest.update(call);
        },
        async get(call) {
          const found = await honest.get(call);
          const stale = before.get(keyText(call.key));
          return found !== undefined && stale !== undefined && call.atRevision === undefined && isOff() ? stale : found;
        },
      };
    },
  ),
  mutant(
    "lagging-head",
    "reads the head of the scope from a copy that is refreshed every 20 ms",
    "contract rule 2: CurrentRevision is at least every acknowledged write's",
    ["head.acknowledged", "get.not-older-than"],
    (honest) => {
      let kept: { readonly revision: bigint; readonly lastChange?: bigint } | undefined;
      let at = 0;
      return {
        async currentRevision(call) {
          if (kept !== undefined && performance.now() - at < 20) return kept;
          at = performance.now();
          kept = await honest.currentRevision(call);
          return kept;
        },
      };
    },
  ),
  mutant(
    "head-of-the-other",
    "says that a resource changed whenever another did, and tells no progress for it",
    "contract rule 2: a write to one resource never holds up reads of another",
    ["head.others-hold-nothing-up", "progress.other-resource"],
    (honest) => ({
      async currentRevision(call) {
        const { revision } = await honest.currentRevision(call);
        return { revision, lastChange: revision };
      },
      async *watch(call) {
        for await (const frame of honest.watch(call)) {
          if (frame.frame !== "progress") yield frame;
          else yield { ...frame, revision: call.after ?? frame.revision };
        }
      },
    }),
  ),
  mutant(
    "exact-off-by-one",
    "reads the state before the revision that is asked for",
    "contract: an exact read is of exactly that revision",
    ["exact.get", "exact.before-creation"],
    (honest) => ({
      get: (call) => honest.get(call.atRevision === undefined ? call : { ...call, atRevision: call.atRevision - 1n }),
    }),
  ),
  mutant(
    "exact-without-the-deleted",
    "leaves out of an earlier state what was deleted since",
    "kine#220: deletes that history has lost",
    "exact.list",
    (honest) => ({
      async list(call) {
        const page = await honest.list(call);
        if (call.atRevision === undefined) return page;
        const now = await honest.list({ ...call, atRevision: undefined });
        const there = new Set(now.items.map(keyText));
        return { ...page, items: page.items.filter((item) => there.has(keyText(item))) };
      },
    }),
  ),
  mutant(
    "exact-is-latest",
    "answers a read of a forgotten state with the present one",
    "contract: OUT_OF_RANGE, never another state",
    ["exact.forgotten", "list.token-forgotten"],
    (honest) => ({
      async get(call) {
        try {
          return await honest.get(call);
        } catch {
          return await honest.get({ ...call, atRevision: undefined });
        }
      },
      async list(call) {
        try {
          return await honest.list(call);
        } catch (error) {
          if (call.atRevision === undefined) throw error;
          return await honest.list({ ...call, atRevision: undefined });
        }
      },
    }),
  ),
  mutant(
    "javascript-numbers",
    "parses the object and writes it again with its language's numbers",
    "contract: JSON is kept as written, 64-bit integers too",
    ["object.numbers"],
    (honest) =>
      storing(honest, (json) => {
        try {
          return Buffer.from(JSON.stringify(JSON.parse(Buffer.from(json).toString())));
        } catch {
          return json;
        }
      }),
  ),
  mutant(
    "no-nul",
    "drops what its database can't hold: U+0000",
    "PostgreSQL: jsonb takes no \\u0000",
    ["object.unicode", "object.escapes"],
    (honest) => storing(honest, (json) => Buffer.from(Buffer.from(json).toString().replaceAll("\\u0000", ""))),
  ),
  mutant(
    "cut-column",
    "cuts objects off at 256 KiB",
    "contract: an object of the largest size",
    ["object.largest", "connect.errors"],
    (honest) => storing(honest, (json) => json.subarray(0, 256 * 1024)),
  ),
  mutant(
    "short-key-column",
    "keeps 128 characters of a name",
    "contract: names up to 253 characters",
    "name.longest",
    (honest) => {
      const cut = <T extends { readonly key: { readonly namespace: string; readonly name: string } }>(call: T): T => ({
        ...call,
        key: { ...call.key, name: call.key.name.slice(0, 128) },
      });
      return { get: (call) => honest.get(cut(call)), create: (call) => honest.create(cut(call)) };
    },
  ),
  mutant(
    "collation",
    "compares names without case, as its database's collation does",
    "MySQL's and SQL Server's default collations",
    "name.case",
    (honest) => ({
      async get(call) {
        const found = await honest.get(call);
        if (found !== undefined || call.key.name === call.key.name.toLowerCase()) return found;
        return await honest.get({ ...call, key: { ...call.key, name: call.key.name.toLowerCase() } });
      },
    }),
  ),
  mutant("like", "looks names up with LIKE", "contract: a name is no pattern", "name.no-pattern", (honest) => ({
    async get(call) {
      const found = await honest.get(call);
      if (found !== undefined || !/[%_]/.test(call.key.name)) return found;
      const { namespace, name } = call.key;
      const list = { ...call, namespace, limit: 0, continueToken: new Uint8Array() };
      const pattern = new RegExp(`^${name.replaceAll("%", ".*").replaceAll("_", ".")}$`);
      return (await honest.list(list)).items.find((item) => pattern.test(item.name));
    },
  })),
  mutant(
    "boolean-additional-properties",
    "declares additionalProperties: false beside properties",
    "cozystack#2867: crashes kube-controller-manager",
    "definition.schema",
    described((resource) => ({
      ...resource,
      versions: (resource.versions ?? []).map((version) => ({
        ...version,
        schemaJson: Buffer.from(
          JSON.stringify({
            type: "object",
            properties: {
              spec: { type: "object", properties: { a: { type: "string" } }, additionalProperties: false },
            },
          }),
        ),
      })),
    })),
  ),
  mutant(
    "dangling-ref",
    "declares a schema with a $ref to nowhere",
    "custom-metrics-apiserver#171, cozystack#3808: OpenAPI that clients can't read",
    "definition.schema",
    described((resource) => ({
      ...resource,
      versions: (resource.versions ?? []).map((version) => ({
        ...version,
        schemaJson: Buffer.from('{"type":"object","properties":{"spec":{"$ref":"#/definitions/Spec"}}}'),
      })),
    })),
  ),
  mutant(
    "window-too-wide",
    "declares a resume window of three times the history that it keeps",
    "contract: Describe must not lie",
    ["watch.window", "exact.list"],
    described((resource) => ({ ...resource, resumeWindow: { minRevisions: 900n, minAgeMs: 0n } })),
  ),
  mutant(
    "epoch-per-call",
    "names another epoch in one answer of nine",
    "contract rule 5: an epoch is one incarnation of the data",
    [
      "describe.epoch",
      "describe.every-caller",
      "describe.stable",
      "head.epoch",
      "create.mark",
      "describe.not-below",
      "status.digest",
    ],
    (honest) => {
      const isOff = onceIn(9);
      return { epoch: () => (isOff() ? "another" : honest.epoch()) };
    },
  ),
  mutant(
    "undeclared-watch",
    "declares no watch, and serves it",
    "contract: what isn't described isn't served",
    "code.undeclared-verb",
    described((resource) => ({
      ...resource,
      verbs: (resource.verbs ?? []).filter((verb) => verb !== 3),
      capabilities: [],
    })),
  ),
  {
    name: "counter-per-replica",
    does: "has a counter of its own in each of two replicas",
    seen: "reports-server: revisions counted in each pod",
    breaks: ["describe.every-endpoint", "write.every-endpoint", "get.fresh-from-every-endpoint"],
    make() {
      const honest = honestStore();
      return [{ store: honest }, { store: { ...honest, ...renumbered(honest, (inner) => inner - 500n) } }];
    },
  },
  {
    name: "lagging-replica",
    does: "reads from a replica that lags by 30 ms, behind one of two endpoints",
    seen: "contract rule 2: read-your-write from every endpoint",
    breaks: ["get.fresh-from-every-endpoint"],
    make() {
      const honest = honestStore();
      const states = new Map<string, { readonly at: number; readonly object: StoredObject | undefined }[]>();
      const note = (object: StoredObject) => {
        const id = keyText(object);
        states.set(id, [...(states.get(id) ?? []), { at: performance.now(), object }]);
      };
      const writer: WholeStore = {
        ...honest,
        async update(call) {
          const written = await honest.update(call);
          note({ ...call.key, revision: written.revision, uid: call.uid, json: call.json });
          return written;
        },
        async create(call) {
          const written = await honest.create(call);
          note({ ...call.key, revision: written.revision, uid: call.uid, json: call.json });
          return written;
        },
      };
      const reader: WholeStore = {
        ...writer,
        async get(call) {
          const found = await honest.get(call);
          const known = states.get(keyText(call.key));
          if (found === undefined || known === undefined || call.atRevision !== undefined) return found;
          const seen = known.findLast(({ at }) => performance.now() - at > 30);
          return seen?.object ?? known[0]?.object ?? found;
        },
      };
      return [{ store: writer }, { store: reader }];
    },
  },
];
