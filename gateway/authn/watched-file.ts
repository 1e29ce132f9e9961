/**
 * A file whose content is taken anew when it changes.
 *
 * Its folder is watched and its content compared every few seconds: a mounted ConfigMap changes by
 * a symbolic link two levels up, of which not every file system tells. A file that can't be read,
 * or whose new content is refused, leaves the last good content in force.
 *
 * States: current (the content on disk is in force) -> stale (something changed) -> current again,
 * or still stale with an error in the log; `close` ends it from any of them.
 */
import { createHash } from "node:crypto";
import { type FSWatcher, readFileSync, watch } from "node:fs";
import { readFile } from "node:fs/promises";
import { dirname } from "node:path";

/** Calls back when a file may have changed, until it is closed. */
export type WatchFile = (path: string, onChange: () => void) => { close(): void };

/** Where a room says what it can't say to a client; pino's logger is one. */
export interface Log {
  info(fields: object, text: string): void;
  warn(fields: object, text: string): void;
  error(fields: object, text: string): void;
}

/** How often content is compared, for changes that the file system doesn't tell of. */
const pollMs = 10_000;
/** A change comes as a burst of events; one look at its end is enough. */
const settleMs = 100;

/** A file, and who wants its content. */
export interface WatchedFileOptions {
  readonly path: string;
  /** Takes the content, at once and after each change. What it throws refuses the content. */
  readonly load: (text: string) => void;
  readonly log: Log;
  readonly watchFile: WatchFile;
}

/**
 * Loads a file and keeps it loaded.
 * @throws Error naming the file if it can't be read at first, or is refused.
 */
export function createWatchedFile({ path, load, log, watchFile }: WatchedFileOptions): { close(): void } {
  const first = readFirst(path);
  load(first);
  let hash = hashOf(first);
  let isReading = false;
  let isStale = false;
  let isClosed = false;

  async function reload(): Promise<void> {
    isStale = true;
    if (isReading) return;
    isReading = true;
    while (isStale && !isClosed) {
      isStale = false;
      await reloadOnce();
    }
    isReading = false;
  }

  async function reloadOnce(): Promise<void> {
    try {
      const text = await readFile(path, "utf8");
      const next = hashOf(text);
      if (next === hash || isClosed) return;
      // Refused content is not tried again until it changes.
      hash = next;
      load(text);
      log.info({ file: path }, "loaded a file that changed");
    } catch (error) {
      log.error(
        { file: path, error: (error as Error).message },
        "could not load a file that changed; the last one holds",
      );
    }
  }

  const watcher = watchFile(path, () => void reload());
  return {
    close() {
      isClosed = true;
      watcher.close();
    },
  };
}

/** Watches a file's folder, and looks every ten seconds whatever the folder says. */
export const watchOnDisk: WatchFile = (path, onChange) => {
  let settling: NodeJS.Timeout | undefined;
  const settle = () => {
    settling ??= setTimeout(() => {
      settling = undefined;
      onChange();
    }, settleMs).unref();
  };
  const folder = watchFolder(dirname(path), settle);
  const poll = setInterval(onChange, pollMs).unref();
  return {
    close() {
      folder?.close();
      clearInterval(poll);
      clearTimeout(settling);
    },
  };
};

/** A folder that can't be watched, or no longer (out of inotify watches, removed), is still looked at. */
function watchFolder(folder: string, onEvent: () => void): FSWatcher | undefined {
  try {
    const watcher = watch(folder, { persistent: false }, onEvent);
    watcher.on("error", () => watcher.close());
    return watcher;
  } catch {
    return undefined;
  }
}

function readFirst(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    throw new Error(`could not read ${path}: ${(error as Error).message}`, { cause: error });
  }
}

function hashOf(text: string): string {
  return createHash("sha256").update(text).digest("base64");
}
