/**
 * `npm run test:contract [-- MUTANT…]`: prints the zoo as a table, mutant, promise that caught it, after how long.
 * `npm run test:contract -- --honest N`: certifies the honest stores N times.
 *
 * Several at a time, in processes of their own. Exit codes: 0 all caught by a promise that they break (or
 * honest), 1 not.
 */
import { fork } from "node:child_process";
import { availableParallelism } from "node:os";
import { fileURLToPath } from "node:url";
import { markdownTable } from "../report.ts";
import { activeStore, capableStore, honestStore, polledStore } from "./honest.ts";
import { type Catch, certifyInProcess, mutants, tryMutant } from "./zoo.ts";

/** Processes at once: more than two cores, since much of a run is waiting. */
const workers = Math.min(8, 2 * availableParallelism());

type Told = Pick<Catch, "caughtBy" | "seen" | "tookMs" | "isRight"> & { readonly name: string };

const args = process.argv.slice(2);
if (args[0] === "--worker") await work();
else process.exitCode = args[0] === "--honest" ? await honest(Number(args[1] ?? "100")) : await zoo(args);

async function zoo(names: readonly string[]): Promise<number> {
  const unknown = names.find((name) => !mutants.some((mutant) => mutant.name === name));
  if (unknown !== undefined) {
    process.stderr.write(`there is no mutant "${unknown}"\n`);
    return 2;
  }
  const wanted = mutants.filter((mutant) => names.length === 0 || names.includes(mutant.name));
  const since = performance.now();
  const told = await shared(wanted.map((mutant) => mutant.name));
  const rows = wanted.map((mutant) => {
    const one = told.get(mutant.name);
    const caughtBy = one?.caughtBy ?? "nothing";
    const verdict = one?.isRight ? caughtBy : `✖ ${caughtBy}, not ${mutant.breaks.join(" or ")}`;
    return [mutant.name, verdict, `${((one?.tookMs ?? 0) / 1000).toFixed(1)} s`, mutant.does, mutant.seen];
  });
  process.stdout.write(`${markdownTable(["mutant", "caught by", "after", "what it does", "seen"], rows)}\n\n`);
  const wrong = wanted.filter((mutant) => !told.get(mutant.name)?.isRight);
  for (const { name } of wrong) process.stdout.write(`✖ ${name}: ${told.get(name)?.seen || "no promise was broken"}\n`);
  const seconds = ((performance.now() - since) / 1000).toFixed(1);
  process.stdout.write(
    `${wanted.length - wrong.length} of ${wanted.length} mutants caught by a promise that they break, in ${seconds} s\n`,
  );
  return wrong.length === 0 ? 0 : 1;
}

/** Has workers try the mutants, each the next one. */
async function shared(names: readonly string[]): Promise<ReadonlyMap<string, Told>> {
  const pending = [...names];
  const told = new Map<string, Told>();
  await Promise.all(
    Array.from({ length: workers }, async () => {
      const child = fork(fileURLToPath(import.meta.url), ["--worker"]);
      const answers = new Promise<void>((resolve, reject) => {
        child.once("exit", (code) => (code === 0 ? resolve() : reject(new Error(`a worker ended with code ${code}`))));
      });
      const next = () => {
        const name = pending.shift();
        if (name === undefined) child.disconnect();
        else child.send(name);
      };
      child.on("message", (message) => {
        const one = message as Told;
        told.set(one.name, one);
        process.stderr.write(
          `${one.isRight ? "✔" : "✖"} ${one.name} (${one.caughtBy ?? "not caught"}, ${Math.round(one.tookMs)} ms)\n`,
        );
        next();
      });
      next();
      await answers;
    }),
  );
  return told;
}

async function work(): Promise<void> {
  process.on("message", async (name) => {
    const mutant = mutants.find((one) => one.name === name);
    if (mutant === undefined) return;
    const { caughtBy, seen, tookMs, isRight } = await tryMutant(mutant);
    process.send?.({ name: mutant.name, caughtBy, seen, tookMs, isRight } satisfies Told);
  });
}

async function honest(runs: number): Promise<number> {
  const since = performance.now();
  for (let run = 1; run <= runs; run++) {
    const store = honestStore();
    const kinds = [
      [{ store }, { store }],
      [{ store: capableStore() }],
      [{ store: activeStore() }],
      [{ store: polledStore() }],
    ];
    const { results } = await certifyInProcess(kinds[run % kinds.length] ?? []);
    const broken = results.find((result) => result.outcome === "broken");
    if (broken !== undefined) {
      process.stdout.write(`✖ run ${run}: ${broken.promise.name}: ${broken.seen}\n${broken.evidence.join("\n")}\n`);
      return 1;
    }
    process.stderr.write(`✔ run ${run}, ${Math.round((performance.now() - since) / run)} ms each\n`);
  }
  process.stdout.write(
    `the honest stores passed ${runs} runs in ${((performance.now() - since) / 1000).toFixed(1)} s\n`,
  );
  return 0;
}
