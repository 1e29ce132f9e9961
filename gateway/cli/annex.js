#!/usr/bin/env node
/**
 * The bin: says clearly that it needs Node 24, and hands over to the subcommand.
 *
 * Plain JavaScript, so that an older Node can read it. The one place that knows both the gateway and
 * the bundled stores: it starts one or the other, never both in one process.
 */
import { existsSync } from "node:fs";

const [major = 0] = process.versions.node.split(".").map(Number);
if (major < 24) {
  process.stderr.write(`annex needs Node 24 or newer; this is ${process.versions.node}\n`);
  process.exit(2);
}

// In a checkout Node runs the TypeScript; the built package has JavaScript beside this file.
const extension = existsSync(new URL("./cli.ts", import.meta.url)) ? "ts" : "js";
const [command, ...rest] = process.argv.slice(2);
const main =
  command === "store"
    ? () => import(new URL(`../../stores/store.${extension}`, import.meta.url).href).then((module) => module.main(rest))
    : () => import(new URL(`./cli.${extension}`, import.meta.url).href).then((module) => module.main(process.argv));

process.exitCode = await main();
