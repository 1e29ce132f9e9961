/** Where a store listens: `unix:PATH`, `HOST:PORT`, or a fresh socket in a folder of its own. */
import { lstatSync, mkdtempSync, rmSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** A place to listen at. */
export type Place =
  | { readonly path: string /** Made for the socket, goes with it. */; readonly temporary: string | undefined }
  | { readonly host: string; readonly port: number };

/** Longest path of a unix socket that every system takes; a longer one would be cut off silently. */
const maxSocketPath = 103;

/** Reads an address. @throws Error if it is neither `unix:PATH` nor `HOST:PORT`. */
export function parseAddress(address: string): Place {
  if (address.startsWith("unix:")) {
    const path = address.slice("unix:".length);
    if (path === "") throw new Error(`"${address}" names no path`);
    if (Buffer.byteLength(path) > maxSocketPath) {
      throw new Error(`"${path}" is longer than the ${maxSocketPath} bytes that a unix socket's path may have`);
    }
    return { path, temporary: undefined };
  }
  const [, host = "", port = ""] = /^(.+):(\d{1,5})$/.exec(address) ?? [];
  const bare = host.startsWith("[") && host.endsWith("]") ? host.slice(1, -1) : host;
  if (host === "" || (bare === host && host.includes(":")) || Number(port) > 65_535) {
    throw new Error(`"${address}" is neither unix:PATH nor HOST:PORT`);
  }
  return { host: bare, port: Number(port) };
}

/** Makes a folder for a fresh socket. */
export function freshSocket(): Place {
  const temporary = mkdtempSync(join(tmpdir(), "annex-store-"));
  return { path: join(temporary, "store.sock"), temporary };
}

/** Writes an address as it can be dialled. */
export function formatAddress(place: Place, port: number): string {
  if ("path" in place) return `unix:${place.path}`;
  return `${place.host.includes(":") ? `[${place.host}]` : place.host}:${port}`;
}

/**
 * Removes a socket whose process is gone: it only stands in the way.
 * @throws Error if somebody listens there, or if it is no socket.
 */
export async function removeStaleSocket(path: string): Promise<void> {
  const found = lstatSync(path, { throwIfNoEntry: false });
  if (found === undefined) return;
  if (!found.isSocket()) throw new Error(`${path} is there and is no socket`);
  const isLive = await new Promise<boolean>((resolve) => {
    const socket = connect(path);
    socket.once("connect", () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", () => resolve(false));
  });
  if (isLive) throw new Error("another process listens there");
  rmSync(path, { force: true });
}
