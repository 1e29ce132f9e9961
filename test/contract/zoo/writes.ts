/** Mutants that write wrongly. */
import { Code, ConnectError } from "@connectrpc/connect";
import { alreadyExists, conflict, notFound, type StoredObject, type UpdateCall } from "../../../stores/sdk/sdk.ts";
import { capableStore, type WholeStore } from "./honest.ts";
import { type Mutant, mutant, onceIn, pause } from "./mutant.ts";
import { renumbered } from "./renumbered.ts";

const current = (store: WholeStore, call: UpdateCall | Parameters<WholeStore["delete"]>[0]) =>
  store.get({ ...call, atRevision: undefined });

export const writeMutants: readonly Mutant[] = [
  mutant(
    "lost-update",
    "takes one in fifty stale updates",
    "contract rule 7: compare-and-swap",
    ["update.always-compared", "update.one-winner"],
    (honest) => {
      const isOff = onceIn(50);
      return {
        async update(call) {
          try {
            return await honest.update(call);
          } catch (error) {
            const found = await current(honest, call);
            if (found === undefined || !isOff()) throw error;
            return await honest.update({ ...call, preconditions: { revision: found.revision } });
          }
        },
      };
    },
  ),
  mutant(
    "check-then-act",
    "compares, waits for its backend, and swaps without comparing again",
    "contract rule 7: compare-and-swap under concurrency",
    "update.one-winner",
    (honest) => ({
      async update(call) {
        const before = await current(honest, call);
        if (before === undefined || before.revision !== call.preconditions.revision) return await honest.update(call);
        await pause(1);
        const now = await current(honest, call);
        return await honest.update({ ...call, preconditions: { ...call.preconditions, revision: now?.revision } });
      },
    }),
  ),
  mutant(
    "dirty-read",
    "writes first, verifies then, and takes back what lost",
    "grafana#113230: optimistic locking verified after the write",
    ["get.no-dirty-read", "update.stale"],
    (honest) => {
      const dirty = new Map<string, StoredObject>();
      const id = (call: { key: { namespace: string; name: string } }) => `${call.key.namespace}/${call.key.name}`;
      return {
        async get(call) {
          return dirty.get(id(call)) ?? (await honest.get(call));
        },
        async update(call) {
          const before = await current(honest, call);
          if (before !== undefined && before.revision !== call.preconditions.revision) {
            dirty.set(id(call), { ...before, json: call.json });
            await pause(2);
            dirty.delete(id(call));
          }
          return await honest.update(call);
        },
      };
    },
  ),
  mutant(
    "false-already-exists",
    "refuses a free name with ALREADY_EXISTS when many write at once",
    "grafana#121266: false AlreadyExists",
    ["create.never-falsely-taken", "create.revision-unique"],
    (honest) => {
      let underWay = 0;
      return {
        async create(call) {
          underWay += 1;
          try {
            await pause(0);
            if (underWay > 60) throw alreadyExists();
            return await honest.create(call);
          } finally {
            underWay -= 1;
          }
        },
      };
    },
  ),
  mutant(
    "create-race",
    "looks whether a name is free, and overwrites whoever took it meanwhile",
    "contract: ALREADY_EXISTS under concurrency",
    "create.one-winner",
    (honest) => ({
      async create(call) {
        if ((await honest.get({ ...call, atRevision: undefined })) !== undefined) return await honest.create(call);
        await pause(1);
        const now = await honest.get({ ...call, atRevision: undefined });
        if (now === undefined) return await honest.create(call);
        return await honest.update({ ...call, preconditions: { revision: now.revision } });
      },
    }),
  ),
  mutant(
    "uid-ignored-on-update",
    "compares the revision of an update, and not the uid",
    "rancher#56315: a wrong uid must be a conflict",
    "update.uid",
    (honest) => ({
      update: (call) => honest.update({ ...call, preconditions: { revision: call.preconditions.revision } }),
    }),
  ),
  mutant(
    "uid-ignored-on-delete",
    "compares the revision of a delete, and not the uid",
    "rancher#56315: a wrong uid must be a conflict",
    "delete.uid",
    (honest) => ({
      delete: (call) => honest.delete({ ...call, preconditions: { revision: call.preconditions.revision } }),
    }),
  ),
  mutant(
    "delete-mints-nothing",
    "answers a delete with the object's old revision",
    "contract rule 4: a delete mints a revision",
    "delete.mints",
    (honest) => ({
      async delete(call) {
        const before = await current(honest, call);
        const removed = await honest.delete(call);
        return { ...removed, revision: before?.revision ?? removed.revision };
      },
    }),
  ),
  mutant(
    "second-delete-succeeds",
    "answers the delete of an object that is gone as if it had removed it",
    "rancher#56315: a repeated delete is 404",
    "delete.again",
    (honest) => {
      const gone = new Map<string, StoredObject>();
      return {
        async delete(call) {
          const id = `${call.key.namespace}/${call.key.name}`;
          const known = gone.get(id);
          if (known !== undefined && (await current(honest, call)) === undefined) return known;
          const removed = await honest.delete(call);
          gone.set(id, removed);
          return removed;
        },
      };
    },
  ),
  mutant(
    "success-as-not-found",
    "removes the object and answers NOT_FOUND, once in twenty deletes",
    "rancher#57065: 404 after a successful delete",
    "delete.gone",
    (honest) => {
      const isOff = onceIn(20);
      return {
        async delete(call) {
          const removed = await honest.delete(call);
          if (isOff()) throw notFound();
          return removed;
        },
      };
    },
  ),
  mutant(
    "conflict-as-internal",
    "tells a conflict as INTERNAL, with its backend's words",
    "rancher#56315, ark PR#1523: errors lose their meaning",
    ["code.one-detail", "connect.errors", "update.stale"],
    (honest) => ({
      async update(call) {
        try {
          return await honest.update(call);
        } catch (error) {
          if (ConnectError.from(error).code !== Code.Aborted) throw error;
          throw new ConnectError('secrets "cattle-tokens" was modified', Code.Internal);
        }
      },
    }),
  ),
  mutant(
    "missing-as-internal",
    "tells a missing object as INTERNAL",
    "ark PR#1523: not-found becomes 500",
    ["code.known", "connect.errors"],
    (honest) => ({
      async get(call) {
        const found = await honest.get(call);
        if (found === undefined) throw new ConnectError("sql: no rows in result set", Code.Internal);
        return found;
      },
    }),
  ),
  mutant(
    "stale-current",
    "brings the state before along with a conflict, not the present one",
    "contract: ErrorDetail.current is the object as it is now",
    ["update.conflict-current", "connect.errors"],
    (honest) => {
      const before = new Map<string, StoredObject>();
      return {
        async update(call) {
          const id = `${call.key.namespace}/${call.key.name}`;
          const present = await current(honest, call);
          try {
            const written = await honest.update(call);
            if (present !== undefined) before.set(id, present);
            return written;
          } catch (error) {
            const stale = before.get(id);
            const failed = ConnectError.from(error);
            if (failed.code !== Code.Aborted || stale === undefined) throw error;
            throw conflict(stale);
          }
        },
      };
    },
  ),
  mutant(
    "unchanged-by-length",
    "takes an update of the same length for one that changes nothing",
    "contract: unchanged means that nothing differed",
    ["update.unchanged-truthful", "update.read-your-write", "update.stale"],
    (honest) => ({
      async update(call) {
        const before = await current(honest, call);
        const isSame = before?.revision === call.preconditions.revision && before?.json.length === call.json.length;
        if (before !== undefined && isSame) return { revision: before.revision, unchanged: true };
        return await honest.update(call);
      },
    }),
  ),
  mutant(
    "update-creates",
    "creates the object that an update doesn't find",
    "contract: NOT_FOUND unless create_on_update",
    "update.missing",
    (honest) => ({
      async update(call) {
        if ((await current(honest, call)) === undefined) return await honest.create(call);
        return await honest.update(call);
      },
    }),
  ),
  mutant(
    "clock-revisions",
    "takes its revisions from the clock, in microseconds",
    "grafana#130334: revisions that are timestamps",
    "create.revision-no-clock",
    (honest) => {
      let last = 0n;
      return renumbered(honest, () => {
        const now = BigInt(Math.round((performance.timeOrigin + performance.now()) * 1_000));
        last = now > last ? now : last + 1n;
        return last;
      });
    },
  ),
  mutant(
    "dry-run-writes",
    "writes one in fifty dry runs of an update",
    "reports-server: dry runs that aren't",
    "dry-run.update",
    (honest) => {
      const isOff = onceIn(50);
      return {
        update: (call) => honest.update(call.dryRun && isOff() ? { ...call, dryRun: false } : call),
      };
    },
    capableStore,
  ),
  mutant(
    "dry-run-blind",
    "doesn't look whether the name is taken when a create is a dry run",
    "reports-server: a dry-run create never looks whether the name exists",
    "dry-run.create-taken",
    (honest) => ({
      async create(call) {
        if (call.dryRun) return { revision: (await honest.currentRevision(call)).revision };
        return await honest.create(call);
      },
    }),
    capableStore,
  ),
  mutant(
    "idempotent-not",
    "has the effect of a repeated update twice",
    "contract: IDEMPOTENT_WRITES",
    "update.idempotent",
    (honest) => {
      const seen = new Set<string>();
      return {
        async update(call) {
          const found = await current(honest, call);
          const isRepeated = seen.has(call.requestId);
          seen.add(call.requestId);
          return await honest.update(
            isRepeated ? { ...call, preconditions: { revision: found?.revision }, requestId: "" } : call,
          );
        },
      };
    },
    capableStore,
  ),
];
