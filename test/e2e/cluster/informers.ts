/** Informers as processes: client-go's and @kubernetes/client-node's, told alike. */
import { type ChildProcess, spawn } from "node:child_process";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import { root } from "../../support/checkout.ts";
import { eventually } from "../../support/eventually.ts";

/** What one informer says. */
interface Told {
  readonly client: string;
  readonly event: "listed" | "synced" | "error" | "state";
  readonly how?: "list" | "watchlist";
  readonly objects?: Readonly<Record<string, string>>;
  readonly error?: string;
}

/** What is followed, and by how many. */
export interface InformersOptions {
  readonly kubeconfig: string;
  readonly group: string;
  readonly version: string;
  readonly plural: string;
  readonly count: number;
}

/** Informers that run. */
export interface Informers {
  /** Those that have all objects. */
  synced(): readonly string[];
  /** How each got all objects for the first time. */
  readonly firstLists: ReadonlyMap<string, string>;
  /** Lists after an informer had all objects, `go-3: watchlist`. */
  relists(): readonly string[];
  /** What was told as an error, with how often. */
  errors(): ReadonlyMap<string, number>;
  /** Gives what each one's cache has: resourceVersions by namespace/name. */
  states(): Promise<ReadonlyMap<string, Readonly<Record<string, string>>>>;
  stop(): Promise<void>;
}

/** The program, and what it is started with. */
export const nodeInformers: readonly string[] = [process.execPath, join(root, "test/e2e/cluster/node-informers.js")];

/** Starts a program of informers. */
export function startInformers(program: readonly string[], options: InformersOptions): Informers {
  const [file = "", ...first] = program;
  const flags = Object.entries(options).map(([name, value]) => `--${name}=${value}`);
  // Beta, and on by default since 1.35; said, so that no default decides what is tested.
  const env = { ...process.env, KUBE_FEATURE_WatchListClient: "true" };
  const child: ChildProcess = spawn(file, [...first, ...flags], { stdio: ["pipe", "pipe", "pipe"], env });
  const synced = new Set<string>();
  const firstLists = new Map<string, string>();
  const relists: string[] = [];
  const errors = new Map<string, number>();
  let states = new Map<string, Readonly<Record<string, string>>>();
  let said = "";
  let hasEnded = false;
  createInterface({ input: child.stdout as Readable }).on("line", (line) => {
    const { client, event, how = "", objects = {}, error = "" } = JSON.parse(line) as Told;
    if (event === "listed" && synced.has(client)) relists.push(`${client}: ${how}`);
    if (event === "listed" && !synced.has(client)) firstLists.set(client, how);
    if (event === "synced") synced.add(client);
    if (event === "error") errors.set(error, (errors.get(error) ?? 0) + 1);
    if (event === "state") states.set(client, objects);
  });
  (child.stderr as Readable).setEncoding("utf8").on("data", (text: string) => {
    said = (said + text).slice(-4096);
  });
  const ended = new Promise<void>((resolve) => child.once("close", () => resolve()));
  void ended.then(() => {
    hasEnded = true;
  });
  const alive = () => {
    if (hasEnded) throw new Error(`the informers ended: ${said}`);
  };
  return {
    firstLists,
    synced() {
      alive();
      return [...synced];
    },
    relists: () => relists,
    errors: () => errors,
    async states() {
      states = new Map();
      child.stdin?.write("state\n");
      await eventually(() => {
        alive();
        return states.size === options.count;
      }, "each informer says what it has");
      return states;
    },
    async stop() {
      child.stdin?.end();
      await ended;
    },
  };
}
