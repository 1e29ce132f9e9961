/** The whole run's history, looked at once more as one: what no promise by itself can see. */
import { checkHistory, describeViolation, type HistoryRule, historyRules, type Violation } from "../history.ts";
import type { Operation } from "../operation.ts";
import { Broken, type ContractPromise, promisesOf } from "../promise.ts";

const watch = promisesOf("watch");

export const historyPromises: readonly ContractPromise[] = Object.entries(historyRules).map(([rule, text]) =>
  watch(
    `history.${rule}`,
    `Over the whole run: ${text.charAt(0).toLowerCase()}${text.slice(1)}`,
    { verbs: "create get" },
    async (kit) => {
      assertHistory(kit.parts.recorder.operations, kit.parts.description.revisionScope === 1, rule as HistoryRule);
    },
  ),
);

/** @throws Broken with the first violation and what shows it; of one rule, or of any. */
export function assertHistory(operations: readonly Operation[], storeScope: boolean, rule?: HistoryRule): void {
  const found = violationsOf(operations, storeScope);
  const first = rule === undefined ? found[0] : found.find((violation) => violation.rule === rule);
  if (first === undefined) return;
  const [, ...calls] = describeViolation(first).split("\n");
  throw new Broken(
    `${first.rule}: ${first.message}`,
    calls.map((line) => line.trim()),
  );
}

/** What was found of a history the last time: ten rules ask one after the other. */
const known = new WeakMap<readonly Operation[], { readonly length: number; readonly found: readonly Violation[] }>();

function violationsOf(operations: readonly Operation[], storeScope: boolean): readonly Violation[] {
  const before = known.get(operations);
  if (before?.length === operations.length) return before.found;
  const found = checkHistory({ storeScope }, operations);
  known.set(operations, { length: operations.length, found });
  return found;
}
