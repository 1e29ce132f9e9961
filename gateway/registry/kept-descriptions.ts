/**
 * The last description of each store, kept in a folder: a gateway that starts while a store is down
 * serves its discovery from there.
 *
 * A file is written beside its name and renamed, so that it is whole or not there. One that can't be
 * read is as good as none.
 */
import { mkdirSync, readFileSync } from "node:fs";
import { rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fromBinary, toBinary } from "@bufbuild/protobuf";
import { type DescribeResponse, DescribeResponseSchema } from "../../gen/annex/store/v1/catalog_pb.js";

/** Keeps descriptions by the names of their stores. */
export interface KeptDescriptions {
  /** Undefined: none is kept. */
  read(store: string): DescribeResponse | undefined;
  /** Never rejects: what can't be kept is logged. */
  write(store: string, description: DescribeResponse): Promise<void>;
}

/**
 * Keeps them in a folder, which is made if it isn't there, a file for each store; their names are DNS labels.
 * @throws Error if the folder can't be made.
 */
export function keepDescriptionsIn(
  folder: string,
  log: { warn(fields: object, message: string): void },
): KeptDescriptions {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const fileOf = (store: string) => join(folder, `${store}.binpb`);
  return {
    read(store) {
      try {
        return fromBinary(DescribeResponseSchema, readFileSync(fileOf(store)));
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== "ENOENT")
          log.warn({ store, err: error }, "the kept description can't be read");
        return undefined;
      }
    },
    async write(store, description) {
      const file = fileOf(store);
      try {
        await writeFile(`${file}.new`, toBinary(DescribeResponseSchema, description), { mode: 0o600 });
        await rename(`${file}.new`, file);
      } catch (error) {
        log.warn({ store, err: error }, "the description can't be kept");
      }
    },
  };
}
