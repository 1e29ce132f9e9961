/** Every promise, in the order in which they are checked: cheap and basic first. */

import type { ContractPromise } from "./promise.ts";
import { actionPromises } from "./promises/actions.ts";
import { chaosPromises } from "./promises/chaos.ts";
import { codePromises } from "./promises/codes.ts";
import { collectionPromises, joinPromises } from "./promises/collections.ts";
import { createPromises } from "./promises/create.ts";
import { definitionPromises } from "./promises/definitions.ts";
import { deletePromises } from "./promises/delete.ts";
import { describePromises } from "./promises/describe.ts";
import { dryRunPromises } from "./promises/dry-run.ts";
import { epochPromises } from "./promises/epochs.ts";
import { historyReadPromises } from "./promises/exact-reads.ts";
import { historyPromises } from "./promises/history.ts";
import { hookPromises } from "./promises/hooks.ts";
import { objectPromises } from "./promises/objects.ts";
import { polledPromises } from "./promises/polled.ts";
import { readPromises } from "./promises/reads.ts";
import { bySessionPromises, sessionPromises } from "./promises/sessions.ts";
import { streamPromises } from "./promises/streams.ts";
import { updatePromises } from "./promises/update.ts";
import { slowReaderPromises, watchPromises } from "./promises/watch.ts";
import { watchStartPromises } from "./promises/watch-starts.ts";
import { connectPromises, wirePromises } from "./promises/wire.ts";

/** All of them; names are unique. */
export const promises: readonly ContractPromise[] = [
  ...wirePromises,
  ...codePromises,
  ...describePromises,
  ...definitionPromises,
  ...createPromises,
  ...updatePromises,
  ...deletePromises,
  ...dryRunPromises,
  ...objectPromises,
  ...connectPromises,
  ...sessionPromises,
  ...actionPromises,
  ...streamPromises,
  ...hookPromises,
  ...readPromises,
  ...collectionPromises,
  ...polledPromises,
  ...historyReadPromises,
  ...watchStartPromises,
  ...watchPromises,
  ...joinPromises,
  ...bySessionPromises,
  ...slowReaderPromises,
  ...historyPromises,
  ...epochPromises,
  ...chaosPromises,
];
