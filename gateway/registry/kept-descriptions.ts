/**
 * The last description of each store, kept in a folder, or with whoever goes on while this process
 * doesn't: a gateway that starts while a store is down serves its discovery from there.
 *
 * A file is written beside its name and renamed, so that it is whole or not there, also when several
 * processes keep the same. One that can't be read is as good as none.
 */
import { mkdirSync, readFileSync } from "node:fs";
import { rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fromBinary, toBinary } from "@bufbuild/protobuf";
import { type DescribeResponse, DescribeResponseSchema } from "../../gen/annex/store/v1/catalog_pb.js";

/** Where descriptions lie, by the names of their stores. */
export interface DescriptionShelf {
  /** Undefined: there is none. @throws whatever keeps it from being read. */
  read(store: string): Uint8Array | undefined;
  /** @throws whatever keeps it from being written. */
  write(store: string, description: Uint8Array): Promise<void> | void;
}

/** Keeps descriptions by the names of their stores. */
export interface KeptDescriptions {
  /** Undefined: none is kept. */
  read(store: string): DescribeResponse | undefined;
  /** Never rejects: what can't be kept is logged. */
  write(store: string, description: DescribeResponse): Promise<void>;
}

/** Keeps them on a shelf. */
export function keepDescriptionsOn(
  shelf: DescriptionShelf,
  log: { warn(fields: object, message: string): void },
): KeptDescriptions {
  return {
    read(store) {
      try {
        const bytes = shelf.read(store);
        return bytes && fromBinary(DescribeResponseSchema, bytes);
      } catch (error) {
        log.warn({ store, err: error }, "the kept description can't be read");
        return undefined;
      }
    },
    async write(store, description) {
      try {
        await shelf.write(store, toBinary(DescribeResponseSchema, description));
      } catch (error) {
        log.warn({ store, err: error }, "the description can't be kept");
      }
    },
  };
}

/**
 * Gives a folder as a shelf, which is made if it isn't there, a file for each store; their names are DNS labels.
 * @throws Error if the folder can't be made.
 */
export function descriptionFolder(folder: string): DescriptionShelf {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const fileOf = (store: string) => join(folder, `${store}.binpb`);
  return {
    read(store) {
      try {
        return readFileSync(fileOf(store));
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
        return undefined;
      }
    },
    async write(store, description) {
      const unfinished = `${fileOf(store)}.new-${process.pid}`;
      await writeFile(unfinished, description, { mode: 0o600 });
      await rename(unfinished, fileOf(store));
    },
  };
}
