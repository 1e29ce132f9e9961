/** The version of this package, as package.json says it. */
import { readFileSync } from "node:fs";

// Beside gateway/ in a checkout, one folder further up in the built package.
const candidates = ["../package.json", "../../package.json"];

/** `0.1.0`. */
export const gatewayVersion = readVersion();

function readVersion(): string {
  for (const candidate of candidates) {
    try {
      const found = JSON.parse(readFileSync(new URL(candidate, import.meta.url), "utf8")) as {
        name?: string;
        version?: string;
      };
      if (found.name === "annex" && found.version !== undefined) return found.version;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
    }
  }
  return "0.0.0";
}
