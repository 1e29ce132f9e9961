/** One process for one folder: the lock is an open transaction, so it goes with its process. */
import { DatabaseSync } from "node:sqlite";

/** Locks a folder. Close what it gives to free it. @throws Error that says the folder is in use. */
export function lockFolder(folder: string, file: string): { close(): void } {
  const lock = new DatabaseSync(file);
  try {
    lock.exec("PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE;");
    return lock;
  } catch (error) {
    lock.close();
    if (!/locked|busy/i.test((error as Error).message)) throw error;
    throw new Error(`the folder ${folder} is in use by another process`, { cause: error });
  }
}
