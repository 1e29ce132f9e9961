/**
 * The options of list, watch and deletecollection.
 *
 * Numbers are read before selectors, and both before rules are checked: the order decides which of
 * several faults a client is told. A watch without a resourceVersion asks for the initial events
 * unless it says otherwise.
 * Source: apimachinery pkg/apis/meta/internalversion (defaults.go, validation/validation.go).
 */
import { type FieldError, fieldForbidden, invalid } from "../apimachinery/field-error.ts";
import type { ListOptions } from "../apimachinery/options.ts";
import { type FieldSelector, parseFieldSelector, parseLabelSelector } from "../apimachinery/selectors.ts";
import { badRequest } from "../apimachinery/status.ts";
import { metaKind, notSupportedWord } from "./option-errors.ts";
import { integerOf, type Query, switchOf, textOf } from "./query.ts";

/** ListOptions as sent, before defaults and rules, with the field selector read. */
export interface ListParameters {
  readonly options: Omit<ListOptions, "resourceVersionMatch"> & { readonly resourceVersionMatch: string };
  readonly fields: FieldSelector;
}

/**
 * Gives the options of a list, a watch or a deletecollection, their defaults filled in.
 * @throws StatusError 400 for numbers and selectors that can't be read, 422 for options that don't go together.
 */
export function parseListOptions(query: Query): ListOptions {
  const options = withDefaults(readListParameters(query).options);
  const errors = options.watch ? watchErrors(options) : listErrors(options);
  if (errors.length > 0) throw invalid(metaKind("ListOptions"), "", errors);
  return { ...options, resourceVersionMatch: options.resourceVersionMatch as ListOptions["resourceVersionMatch"] };
}

/**
 * Reads ListOptions as sent.
 * @throws StatusError 400 for numbers and selectors that can't be read.
 */
export function readListParameters(query: Query): ListParameters {
  const options = {
    labelSelector: textOf(query, "labelSelector"),
    fieldSelector: textOf(query, "fieldSelector"),
    watch: switchOf(query, "watch") ?? false,
    allowWatchBookmarks: switchOf(query, "allowWatchBookmarks") ?? false,
    resourceVersion: textOf(query, "resourceVersion"),
    resourceVersionMatch: textOf(query, "resourceVersionMatch"),
    timeoutSeconds: integerOf(query, "timeoutSeconds"),
    // Less than none is none.
    limit: Math.max(0, integerOf(query, "limit") ?? 0),
    continue: textOf(query, "continue"),
    sendInitialEvents: switchOf(query, "sendInitialEvents"),
  };
  readable(() => parseLabelSelector(options.labelSelector));
  return { options, fields: readable(() => parseFieldSelector(options.fieldSelector)) };
}

function readable<T>(parse: () => T): T {
  try {
    return parse();
  } catch (error) {
    throw badRequest((error as Error).message);
  }
}

type RawListOptions = ListParameters["options"];

function withDefaults(options: RawListOptions): RawListOptions {
  const fromNow = options.resourceVersion === "" || options.resourceVersion === "0";
  const isPlain = options.sendInitialEvents === undefined && options.resourceVersionMatch === "";
  if (!options.watch || !fromNow || !isPlain) return options;
  return { ...options, sendInitialEvents: true, resourceVersionMatch: "NotOlderThan" };
}

const matchField = "resourceVersionMatch";
const withContinue = fieldForbidden(matchField, "resourceVersionMatch is forbidden when continue is provided");

function listErrors(options: RawListOptions): FieldError[] {
  const errors: FieldError[] = [];
  const match = options.resourceVersionMatch;
  if (match !== "") {
    if (options.resourceVersion === "") {
      errors.push(fieldForbidden(matchField, "resourceVersionMatch is forbidden unless resourceVersion is provided"));
    }
    if (options.continue !== "") errors.push(withContinue);
    if (match !== "Exact" && match !== "NotOlderThan") {
      errors.push(notSupportedWord(matchField, match, ["Exact", "NotOlderThan", ""]));
    }
    if (match === "Exact" && options.resourceVersion === "0") {
      errors.push(fieldForbidden(matchField, 'resourceVersionMatch "exact" is forbidden for resourceVersion "0"'));
    }
  }
  if (options.sendInitialEvents !== undefined) {
    errors.push(fieldForbidden("sendInitialEvents", "sendInitialEvents is forbidden for list"));
  }
  return errors;
}

function watchErrors(options: RawListOptions): FieldError[] {
  const errors: FieldError[] = [];
  const match = options.resourceVersionMatch;
  const hasInitial = options.sendInitialEvents !== undefined;
  if (hasInitial && match !== "NotOlderThan") {
    errors.push(fieldForbidden(matchField, "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan"));
  }
  if (match === "") return errors;
  if (!hasInitial) {
    const why = "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided";
    errors.push(fieldForbidden(matchField, why));
  }
  if (match !== "NotOlderThan") errors.push(notSupportedWord(matchField, match, ["NotOlderThan"]));
  if (options.continue !== "") errors.push(withContinue);
  return errors;
}
