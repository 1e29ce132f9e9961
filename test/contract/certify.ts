/**
 * `annex certify`: whether a store keeps the contract, promise by promise.
 *
 * Exit codes: 0 every promise is kept, 1 one is broken or the store doesn't answer, 2 the arguments
 * are off.
 */
import { writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import type { TlsFiles } from "./connection.ts";
import { checkHistory, describeViolation, readHistory } from "./history.ts";
import { ProcessStartError, type StoreProcess, startProcess } from "./process.ts";
import { promises } from "./promises.ts";
import { jsonFrom, junitFrom, progressLine, summary } from "./report.ts";
import { certify, NoDescriptionError } from "./run.ts";

const usage = `Usage: annex certify [options] ADDRESS...
       annex certify [options] -- COMMAND...
       annex certify --check FILE

Checks whether a store keeps the contract that it declares in its description: each promise by its name.
ADDRESS is unix:PATH or HOST:PORT; more than one are replicas of one store. COMMAND starts a store whose
first line of stdout is its address (or addresses); it is stopped at the end. Objects are written under
names of their own, and removed.

  --junit FILE      write the results as JUnit XML
  --json FILE       write the results as JSON
  --history FILE    keep every call and answer, one line of JSON each
  --check FILE      check a history that was kept
  --no-chaos        leave out the promises that kill, pause and cut off the store
  --list            print the promises and end
  --tls-ca FILE     with --tls-cert and --tls-key: mutual TLS on a TCP address
  --tls-cert FILE
  --tls-key FILE
`;

interface Flags {
  readonly addresses: readonly string[];
  readonly command: readonly string[];
  readonly junit: string | undefined;
  readonly json: string | undefined;
  readonly history: string | undefined;
  readonly isChaotic: boolean;
  readonly isList: boolean;
  readonly check: string | undefined;
  readonly tls: TlsFiles | undefined;
}

/** Runs the command. @returns the exit code. */
export async function main(argv: readonly string[]): Promise<number> {
  if (argv.length === 0 || argv[0] === "--help" || argv[0] === "-h") {
    process.stdout.write(usage);
    return argv.length === 0 ? 2 : 0;
  }
  let flags: Flags;
  try {
    flags = flagsFrom(argv);
  } catch (error) {
    process.stderr.write(`annex certify: ${(error as Error).message}\n\n${usage}`);
    return 2;
  }
  if (flags.isList) {
    for (const { level, name, text } of promises) process.stdout.write(`${level.padEnd(8)} ${name}: ${text}\n`);
    return 0;
  }
  if (flags.check !== undefined) return checked(flags.check);
  let store: StoreProcess | undefined;
  try {
    if (flags.command.length > 0)
      store = await startProcess(flags.command, (line) => process.stderr.write(`${line}\n`));
    return await certified(flags, store);
  } catch (error) {
    if (!(error instanceof ProcessStartError) && !(error instanceof NoDescriptionError)) throw error;
    process.stderr.write(`annex certify: ${error.message}\n`);
    return 1;
  } finally {
    await store?.stop();
  }
}

/** Checks a history that was kept. */
function checked(file: string): number {
  let history: ReturnType<typeof readHistory>;
  try {
    history = readHistory(file);
  } catch (error) {
    process.stderr.write(`annex certify: ${file} can't be read: ${(error as Error).message}\n`);
    return 2;
  }
  const { head, operations } = history;
  const violations = checkHistory(head, operations);
  for (const violation of violations) process.stdout.write(`✖ ${describeViolation(violation)}\n`);
  const verdict = violations.length === 0 ? "can be one of a store that keeps the contract" : "breaks the contract";
  process.stdout.write(`${operations.length} operations of ${head.implementation}: the history ${verdict}\n`);
  return violations.length === 0 ? 0 : 1;
}

async function certified(flags: Flags, store: StoreProcess | undefined): Promise<number> {
  const isColoured = process.stdout.isTTY === true;
  const report = await certify({
    addresses: store?.addresses ?? flags.addresses,
    process: store,
    tls: flags.tls,
    promises: promises.filter((promise) => flags.isChaotic || promise.level !== "chaos"),
    historyFile: flags.history,
    onResult: (result) => process.stdout.write(`${progressLine(result, isColoured)}\n`),
  });
  process.stdout.write(`${summary(report)}\n`);
  if (flags.junit !== undefined) writeFileSync(flags.junit, junitFrom(report));
  if (flags.json !== undefined) writeFileSync(flags.json, jsonFrom(report));
  return report.results.some((result) => result.outcome === "broken") ? 1 : 0;
}

function flagsFrom(argv: readonly string[]): Flags {
  const dashes = argv.indexOf("--");
  const command = dashes < 0 ? [] : argv.slice(dashes + 1);
  const { values, positionals } = parseArgs({
    args: dashes < 0 ? [...argv] : argv.slice(0, dashes),
    allowPositionals: true,
    options: {
      junit: { type: "string" },
      json: { type: "string" },
      history: { type: "string" },
      "no-chaos": { type: "boolean", default: false },
      list: { type: "boolean", default: false },
      check: { type: "string" },
      "tls-ca": { type: "string" },
      "tls-cert": { type: "string" },
      "tls-key": { type: "string" },
    },
  });
  const isAlone = values.list || values.check !== undefined;
  if (!isAlone && (positionals.length === 0) === (command.length === 0)) {
    throw new Error("give an ADDRESS, or -- and a COMMAND");
  }
  for (const address of positionals) {
    if (!/^unix:.+|^.+:\d{1,5}$/.test(address)) throw new Error(`"${address}" is neither unix:PATH nor HOST:PORT`);
  }
  const { "tls-ca": caFile, "tls-cert": certFile, "tls-key": keyFile } = values;
  const files = [caFile, certFile, keyFile].filter((file) => file !== undefined);
  if (files.length !== 0 && files.length !== 3) throw new Error("--tls-ca, --tls-cert and --tls-key go together");
  return {
    addresses: positionals,
    command,
    junit: values.junit,
    json: values.json,
    history: values.history,
    isChaotic: !values["no-chaos"],
    isList: values.list,
    check: values.check,
    tls: caFile && certFile && keyFile ? { caFile, certFile, keyFile } : undefined,
  };
}
