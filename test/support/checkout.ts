/** The checkout that the tests run in. */
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

/** Its root folder. */
export const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

/** The bin as a checkout has it. */
export const annexBin = join(root, "gateway/cli/annex.js");

/** The bin as the package has it, once `npm run build` was run. */
export const builtBin = join(root, "dist/gateway/cli/annex.js");
