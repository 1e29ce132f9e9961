/** Go programs' ways to follow objects, as a process: client-go's informers and a controller-runtime manager. */
import { type ChildProcess, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";

/** Who sees something. */
export const goClients = ["dynamic", "metadata", "manager"] as const;

/** What one of them saw. */
export interface GoEvent {
  readonly client: (typeof goClients)[number];
  readonly event: "synced" | "added" | "updated" | "deleted" | "reconciled" | "error";
  readonly name?: string;
  readonly resourceVersion?: string;
  readonly error?: string;
}

/** The program as it runs. */
export interface GoClients {
  /** What was seen so far. @throws Error with its last words if it ended by itself. */
  seen(): readonly GoEvent[];
  stop(): Promise<void>;
}

/** Follows a resource until it is stopped. */
export function startGoClients(
  path: string,
  about: Readonly<Record<"kubeconfig" | "group" | "version" | "plural" | "kind", string>>,
): GoClients {
  const flags = Object.entries(about).map(([name, value]) => `--${name}=${value}`);
  const child: ChildProcess = spawn(path, flags, { stdio: ["pipe", "pipe", "pipe"] });
  const seen: GoEvent[] = [];
  let said = "";
  createInterface({ input: child.stdout as Readable }).on(
    "line",
    (line) => void seen.push(JSON.parse(line) as GoEvent),
  );
  (child.stderr as Readable).setEncoding("utf8").on("data", (text: string) => {
    said = (said + text).slice(-4096);
  });
  let hasEnded = false;
  const ended = new Promise<void>((resolve) => child.once("close", () => resolve()));
  void ended.then(() => {
    hasEnded = true;
  });
  return {
    seen() {
      if (hasEnded) throw new Error(`the clients ended: ${said}`);
      return seen;
    },
    async stop() {
      child.stdin?.end();
      await ended;
    },
  };
}

/** What an informer told twice: it tells all that it has when it lists anew. */
export function listedAnew(seen: readonly GoEvent[], client: GoEvent["client"]): readonly string[] {
  const versions = new Map<string | undefined, string | undefined>();
  return seen
    .filter((one) => one.client === client && ["added", "updated"].includes(one.event))
    .filter(({ name, resourceVersion }) => {
      const isTold = versions.get(name) === resourceVersion;
      versions.set(name, resourceVersion);
      return isTold;
    })
    .map(({ name, resourceVersion }) => `${name} at ${resourceVersion}`);
}
