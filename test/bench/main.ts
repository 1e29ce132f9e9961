/**
 * `npm run bench [-- --json FILE] [--out FOLDER] [ROW…]`: measures, prints one table, and writes JSON if asked to.
 * Pictures go to FOLDER, by default `bench-out`. Without names every row is run but those of many minutes.
 *
 * What is measured is what users run: the JavaScript of the package, which is built first.
 * Exit codes: 0 every target was met, 1 one was missed, 2 the arguments are off. A row is a file under
 * `rows/`, and stands in the list below. Figures depend on the machine, which is printed above them.
 */
import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { root } from "../support/checkout.ts";
import { formatMachine, formatTable, type Outcome, thisMachine } from "./report.ts";
import { missed, type Row } from "./row.ts";
import { aggregator } from "./rows/aggregator.ts";
import { bodies } from "./rows/bodies.ts";
import { definitions } from "./rows/definitions.ts";
import { discovery } from "./rows/discovery.ts";
import { fields } from "./rows/fields.ts";
import { memory } from "./rows/memory.ts";
import { metrics } from "./rows/metrics.ts";
import { reads } from "./rows/reads.ts";
import { session } from "./rows/session.ts";
import { soak } from "./rows/soak.ts";
import { watch } from "./rows/watch.ts";
import { workers } from "./rows/workers.ts";
import { writes } from "./rows/writes.ts";

const rows: readonly Row[] = [
  definitions,
  bodies,
  fields,
  metrics,
  reads,
  writes,
  watch,
  memory,
  discovery,
  aggregator,
  workers,
  session,
  soak,
];

process.exitCode = await main(process.argv.slice(2));

async function main(args: readonly string[]): Promise<number> {
  const { values, positionals } = parseArgs({
    args: [...args],
    options: { json: { type: "string" }, out: { type: "string", default: "bench-out" } },
    allowPositionals: true,
  });
  const unknown = positionals.filter((name) => !rows.some((row) => row.name === name));
  if (unknown.length > 0) {
    const known = rows.map(({ name, about }) => `  ${name}: ${about}`).join("\n");
    process.stderr.write(`bench: no row is named ${unknown.join(", ")}. There are:\n${known}\n`);
    return 2;
  }
  execFileSync("npm", ["run", "--silent", "build"], { cwd: root, stdio: ["ignore", 2, 2] });
  const machine = thisMachine(new Date());
  process.stdout.write(`${formatMachine(machine)}\n`);
  const outcomes: Outcome[] = [];
  for (const row of rows) {
    if (positionals.length > 0 ? !positionals.includes(row.name) : row.isByNameOnly) continue;
    process.stdout.write(`• ${row.name}: ${row.about}\n`);
    const skipped: string[] = [];
    const figures = await row.run((why) => {
      skipped.push(why);
      process.stdout.write(`  left out: ${why}\n`);
    }, values.out);
    outcomes.push({ row: row.name, about: row.about, figures, skipped });
  }
  process.stdout.write(`\n${formatTable(outcomes)}\n`);
  if (values.json !== undefined) {
    writeFileSync(values.json, `${JSON.stringify({ machine, outcomes }, undefined, 2)}\n`);
  }
  return outcomes.some(({ figures }) => figures.some((figure) => missed(figure).length > 0)) ? 1 : 0;
}
