/**
 * Which way imports point, as data, and who breaks it.
 *
 * A *place* is a file's part of the house: a room of the gateway (`gateway/authn`), one of the files
 * beside the rooms (`gateway/server.ts`), a store (`stores/sql`), `gen`, `test`. Inside a place
 * everything may be imported; across places only what stands here. `gateway/cli/annex.js` is the
 * package's bin and names both sides: the walk reads TypeScript.
 */
import { dirname, join } from "node:path/posix";

/** One import: paths from the root, or a package's name. */
export interface Arrow {
  readonly from: string;
  readonly to: string;
}

/** Each room's neighbours, beside itself, apimachinery and packages. */
const rooms: Readonly<Record<string, readonly string[]>> = {
  apimachinery: [],
  listen: [],
  request: [],
  authn: ["kubeclient"],
  authz: ["kubeclient"],
  admission: ["kubeclient"],
  flowcontrol: [],
  negotiation: [],
  patch: [],
  apply: [],
  schema: [],
  lifecycle: [],
  render: [],
  registry: [],
  watchcache: ["registry"],
  verbs: ["patch", "apply", "schema", "lifecycle", "admission", "watchcache", "registry", "render"],
  discovery: [],
  openapi: [],
  health: [],
  audit: [],
  metrics: [],
  kubeclient: [],
  certificates: [],
  workers: [],
};

/** Who may know every room: they join them. */
const joiners = new Set(["server.ts", "main.ts", "gateway.ts", "config.ts", "dispatch.ts", "cli"]);
/** Files beside the rooms that rooms and joiners may read. */
const shelves = new Set(["version.ts"]);

/** Who may name a package; packages that aren't here may be named by all. Relative to the root. */
const fences: readonly { readonly package: RegExp; readonly places: readonly string[] }[] = [
  { package: /^fastify$|^@fastify\//, places: ["gateway/listen", "test"] },
  { package: /^@connectrpc\/|^@bufbuild\//, places: ["gateway/registry", "stores", "test"] },
  { package: /^commander$/, places: ["gateway/cli"] },
  { package: /^pino-pretty$/, places: ["gateway/cli"] },
];

/** Gives what is wrong with an arrow, or undefined. */
export function faultOf({ from, to }: Arrow): string | undefined {
  const isTest = /\.(test|testing|fixture)\.ts$/.test(from) || from.startsWith("test/");
  if (!isPath(to)) return fenceFault(from, to);
  const [here, there] = [placeOf(from), placeOf(to)];
  if (here === there) return isTest || !isTestOnly(to) ? undefined : "only tests import what is for tests";
  if (isTestOnly(to) && !isTest) return "only tests import what is for tests";
  if (here === "test") return undefined;
  if (there === "test") return isTest ? undefined : "nothing imports test";
  if (from.startsWith("gateway/") && to.startsWith("stores/")) return "gateway never imports stores";
  if (from.startsWith("stores/") && to.startsWith("gateway/")) return "stores never import gateway";
  if (there === "gen") return fenceFault(from, "@bufbuild/protobuf");
  return from.startsWith("stores/") ? storeFault(from, to) : roomFault(from, to);
}

/** Gives the arrows of a file's text: static, dynamic and re-exporting; types too. */
export function arrowsOf(file: string, text: string): Arrow[] {
  const found = [...text.matchAll(/\b(?:from|import)\s*\(?\s*"([^"\n]+)"/g)].map((match) => match[1] ?? "");
  return found.map((to) => ({ from: file, to: to.startsWith(".") ? join(dirname(file), to) : to }));
}

function isPath(to: string): boolean {
  return /^(gateway|stores|test|gen)\//.test(to);
}

function isTestOnly(file: string): boolean {
  return /\.(test|testing|fixture)\.ts$/.test(file);
}

function placeOf(file: string): string {
  const [top = "", second = ""] = file.split("/");
  // The test of a file beside the rooms belongs to that file.
  return top === "gen" || top === "test" ? top : `${top}/${second.replace(/\.test\.ts$/, ".ts")}`;
}

function fenceFault(from: string, name: string): string | undefined {
  const fence = fences.find((one) => one.package.test(name));
  if (fence === undefined || fence.places.some((place) => from.startsWith(`${place}/`))) return undefined;
  return `${name} is named only in ${fence.places.join(", ")}`;
}

function storeFault(from: string, to: string): string | undefined {
  const there = to.split("/")[1];
  // The command that starts any of them, and the promises that all of them keep.
  if (/^stores\/[^/]+$/.test(from)) return undefined;
  if (to === "stores/sdk/sdk.ts") return undefined;
  if (to === "stores/store.ts" || isTestOnly(to)) return undefined;
  return there === "sdk" ? "a store imports sdk by its front door" : "a store imports no other store";
}

function roomFault(from: string, to: string): string | undefined {
  const [here = "", there = ""] = [from.split("/")[1], to.split("/")[1]];
  if (there === "apimachinery" || shelves.has(there)) return undefined;
  if (joiners.has(there)) return joiners.has(here) ? undefined : `${there} joins the rooms: no room imports it`;
  if (to !== `gateway/${there}/${there}.ts`) return `a room is entered by its front door, ${there}/${there}.ts`;
  if (joiners.has(here)) return undefined;
  const neighbours = rooms[here];
  if (neighbours === undefined) return `the room ${here} has no rule`;
  return neighbours.includes(there) ? undefined : `${here} may not import ${there}`;
}
