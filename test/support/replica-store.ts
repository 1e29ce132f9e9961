/**
 * A store whose processes are replicas of each other: each is a view of one SQLite file, and keeps nothing.
 *
 * As small as replicas can be: a log that only grows, a write is one transaction, a watch looks for new
 * rows every few milliseconds. So the file's order of commits is the order of revisions, and the head
 * that any process reads has every acknowledged write. A row of no resource begins an epoch.
 *
 *   ANNEX_REPLICA_FILE=/tmp/objects.db node test/support/replica-store.ts --listen unix:/tmp/a.sock
 */
import { DatabaseSync } from "node:sqlite";
import { setTimeout as pause } from "node:timers/promises";
import { Capability } from "../../gen/annex/store/v1/catalog_pb.js";
import {
  alreadyExists,
  badRequest,
  compareKeys,
  conflict,
  expired,
  notFound,
  type ObjectKey,
  type Preconditions,
  pacedProgress,
  type ResourceDescription,
  type ResourceId,
  runStore,
  type Store,
  type StoredObject,
  type StoreEvent,
} from "../../stores/sdk/sdk.ts";
import { contractResources } from "../contract/contract.testing.ts";

/** What it declares. The log is never cut, so every revision of an epoch can be resumed from. */
const capabilities = [Capability.RESUME, Capability.PROGRESS, Capability.PREVIOUS_OBJECT];
/** How soon a watch sees what another process wrote. */
const lookMs = 10;

const schema = `
PRAGMA busy_timeout = 10000;
PRAGMA journal_mode = WAL;
CREATE TABLE IF NOT EXISTS log (
  revision INTEGER PRIMARY KEY, resource TEXT, namespace TEXT, name TEXT, uid TEXT, deleted INTEGER, json BLOB
);
CREATE INDEX IF NOT EXISTS log_by_key ON log (resource, namespace, name, revision);
INSERT INTO log SELECT 1, '', '', '', '', 1, x'' WHERE NOT EXISTS (SELECT 1 FROM log);
`;

interface Row extends StoredObject {
  readonly isDeleted: boolean;
}

/** Opens a view of the file, which is made if need be. */
export function openReplicaStore(file: string, resources: readonly ResourceDescription[]): Store {
  const database = new DatabaseSync(file);
  database.exec(schema);
  const statement = (sql: string) => {
    const made = database.prepare(sql);
    made.setReadBigInts(true);
    return made;
  };
  const headOf = statement("SELECT max(revision) AS revision FROM log");
  const changeOf = statement("SELECT max(revision) AS revision FROM log WHERE resource = ?");
  const insert = statement("INSERT INTO log (resource, namespace, name, uid, deleted, json) VALUES (?, ?, ?, ?, ?, ?)");
  const lastBefore = statement(
    "SELECT * FROM log WHERE resource = ? AND namespace = ? AND name = ? AND revision < ? ORDER BY revision DESC LIMIT 1",
  );
  const lastOfAll = statement(
    "SELECT l.* FROM log l JOIN (SELECT max(revision) AS revision FROM log WHERE resource = ? GROUP BY namespace, name) USING (revision) WHERE deleted = 0",
  );
  const after = statement("SELECT * FROM log WHERE resource = ? AND revision > ? ORDER BY revision");

  const begin = statement("INSERT INTO log VALUES (?, '', '', '', '', 1, x'')");

  const idOf = ({ group, plural }: ResourceId) => `${plural}.${group}`;
  const head = () => (headOf.get() as { revision: bigint }).revision;
  const lastOf = (resource: string) => (changeOf.get(resource) as { revision: bigint | null }).revision ?? 1n;

  function rowFrom(raw: unknown): Row {
    const { namespace, name, revision, uid, json, deleted } = raw as Row & { deleted: bigint };
    return { namespace, name, revision, uid, json, isDeleted: deleted !== 0n };
  }

  function stateBefore(resource: ResourceId, key: ObjectKey, revision = 2n ** 62n): StoredObject | undefined {
    const raw = lastBefore.get(idOf(resource), key.namespace, key.name, revision);
    if (raw === undefined) return undefined;
    const { isDeleted, ...stored } = rowFrom(raw);
    return isDeleted ? undefined : stored;
  }

  /** Decides and writes in one transaction. */
  function write(resource: ResourceId, key: ObjectKey, decide: (present: StoredObject | undefined) => Row): Row {
    database.exec("BEGIN IMMEDIATE");
    try {
      const { isDeleted, uid, json } = decide(stateBefore(resource, key));
      const { lastInsertRowid } = insert.run(idOf(resource), key.namespace, key.name, uid, isDeleted ? 1 : 0, json);
      database.exec("COMMIT");
      return { ...key, uid, json, isDeleted, revision: BigInt(lastInsertRowid) };
    } catch (error) {
      database.exec("ROLLBACK");
      throw error;
    }
  }

  function assertPresent(present: StoredObject | undefined, { revision, uid }: Preconditions): StoredObject {
    if (present === undefined) throw notFound();
    if (revision !== undefined && revision !== present.revision) throw conflict(present);
    if (uid !== undefined && uid !== present.uid) throw conflict(present);
    return present;
  }

  function eventFrom(resource: ResourceId, { isDeleted, ...object }: Row): StoreEvent {
    const previous = stateBefore(resource, object, object.revision);
    return { type: isDeleted ? "delete" : "put", object, previous };
  }

  return {
    implementation: "annex-replica",
    version: "1",
    revisionScope: "store",
    resources,
    epoch: () => `${file} from ${lastOf("")}`,
    async notBelow(revision) {
      if (revision > head()) begin.run(revision);
    },
    get: async ({ resource, key }) => stateBefore(resource, key),
    async list({ resource, namespace, continueToken }) {
      if (continueToken.length > 0) throw badRequest("a list has one page: there are no tokens");
      database.exec("BEGIN");
      const rows = lastOfAll.all(idOf(resource)).map(rowFrom);
      const revision = head();
      database.exec("COMMIT");
      const keyText = (row: Row) => `${row.namespace}/${row.name}`;
      const items = rows.filter((row) => namespace === "" || row.namespace === namespace);
      return { items: items.sort((a, b) => compareKeys(keyText(a), keyText(b))), revision };
    },
    async create({ resource, key, uid, json }) {
      return write(resource, key, (present) => {
        if (present !== undefined) throw alreadyExists();
        return { ...key, revision: 0n, uid, json, isDeleted: false };
      });
    },
    async update({ resource, key, uid, json, preconditions }) {
      return write(resource, key, (present) => {
        assertPresent(present, preconditions);
        return { ...key, revision: 0n, uid, json, isDeleted: false };
      });
    },
    async delete({ resource, key, preconditions }) {
      return write(resource, key, (present) => ({ ...assertPresent(present, preconditions), isDeleted: true }));
    },
    async currentRevision({ resource }) {
      return { revision: head(), lastChange: lastOf(idOf(resource)) };
    },
    async *watch({ resource, namespace, after: from, progressEveryMs, signal }) {
      let seen = from ?? head();
      const oldest = lastOf("");
      if (seen < oldest) throw expired(oldest);
      yield { frame: "started", revision: seen, oldestResumable: oldest };
      const pace = pacedProgress(seen, progressEveryMs);
      while (!signal.aborted) {
        // The head first: a row that comes between the two is seen the next time.
        const reached = head();
        const rows = after.all(idOf(resource), seen).map(rowFrom);
        const events = rows
          .filter((row) => row.revision <= reached && (namespace === "" || row.namespace === namespace))
          .map((row) => eventFrom(resource, row));
        if (events.length > 0) yield { frame: "events", events };
        seen = reached;
        if (events.at(-1)?.object.revision === seen) pace.told(seen);
        else if (pace.isDue(seen)) yield { frame: "progress", revision: seen };
        await pause(lookMs, undefined, { signal }).catch(() => {});
      }
    },
    close: async () => database.close(),
  };
}

if (import.meta.main) {
  const file = process.env["ANNEX_REPLICA_FILE"];
  if (file === undefined) throw new Error("ANNEX_REPLICA_FILE must name a file");
  process.exitCode = await runStore(openReplicaStore(file, contractResources(capabilities)));
}
