/**
 * `npm run bench [-- --json FILE] [--out FOLDER] [ROW…]`: measures, prints one table, and writes JSON if asked to.
 * Pictures go to FOLDER, by default `bench-out`. Without names every row is run but those of many minutes.
 *
 * What is measured is what users run: the JavaScript of the package, which is built first.
 * Exit codes: 0 every target was met, 1 one was missed or a row failed, 2 the arguments are off. A row is a file under
 * `rows/`, and stands in the list below. Figures depend on the machine, which is printed above them.
 */
import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { root } from "../support/checkout.ts";
import { type SharedColumns, shareColumns } from "./columns.ts";
import { formatMachine, formatTable, type Outcome, thisMachine } from "./report.ts";
import { type Bench, type Figure, missed, type Row } from "./row.ts";
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

/**
 * Those that share columns come last, so that these don't run beside the others: memory while nobody has asked for
 * anything, reads then finds its objects, and aggregator takes the group away from kube-apiserver's own definition.
 */
const rows: readonly Row[] = [
  definitions,
  bodies,
  metrics,
  session,
  fields,
  discovery,
  workers,
  soak,
  memory,
  reads,
  watch,
  writes,
  aggregator,
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
  const wanted = rows.filter(({ name, isByNameOnly }) =>
    positionals.length > 0 ? positionals.includes(name) : !isByNameOnly,
  );
  const outcomes: Outcome[] = [];
  const shared = shareColumns();
  try {
    for (const row of wanted) outcomes.push(await outcomeOf(row, { outFolder: values.out, columns: shared.columns }));
  } finally {
    await shared.stop();
  }
  process.stdout.write(`\n${formatTable(outcomes)}\n`);
  if (values.json !== undefined) {
    writeFileSync(values.json, `${JSON.stringify({ machine, outcomes }, undefined, 2)}\n`);
  }
  const isFine = outcomes.every(({ figures, failure }) => failure === undefined && !figures.some(hasMissed));
  return isFine ? 0 : 1;
}

/** Runs a row. One that fails costs no other its figures. */
async function outcomeOf(
  { name, about, run }: Row,
  { outFolder, columns }: Pick<Bench, "outFolder"> & Pick<SharedColumns, "columns">,
): Promise<Outcome> {
  process.stdout.write(`• ${name}: ${about}\n`);
  const skipped: string[] = [];
  const skip = (why: string) => {
    skipped.push(why);
    process.stdout.write(`  left out: ${why}\n`);
  };
  const began = performance.now();
  const outcome = { row: name, about, skipped };
  const seconds = () => Math.round((performance.now() - began) / 1000);
  try {
    const figures = await run({ skip, outFolder, columns: (has) => columns(skip, has) });
    process.stdout.write(`  ${seconds()} s\n`);
    return { ...outcome, figures, seconds: seconds() };
  } catch (error) {
    process.stdout.write(`  failed after ${seconds()} s: ${(error as Error).stack}\n`);
    return { ...outcome, figures: [], failure: (error as Error).message, seconds: seconds() };
  }
}

function hasMissed(figure: Figure): boolean {
  return missed(figure).length > 0;
}
