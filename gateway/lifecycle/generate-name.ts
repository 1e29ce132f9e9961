/**
 * Names that the server makes from a generateName, and the answers when a name is taken.
 *
 * Source: apiserver pkg/storage/names/generate.go, pkg/registry/generic/registry/store.go,
 * pkg/registry/rest/create.go (CheckGeneratedNameError); apimachinery pkg/util/rand.
 */
import { isDeleting, type KubeObject, metadataString, nameOf } from "../apimachinery/object.ts";
import { alreadyExists, StatusError } from "../apimachinery/status.ts";
import type { WriteScope } from "./write-scope.ts";

/**
 * Tries of a create whose generated name is taken. With eight, a million names under one prefix
 * meet a full failure once in a thousand creates.
 */
export const maxNameTries = 8;

const suffixLength = 5;
/** A generated name keeps within a DNS label. */
const maxBaseBytes = 63 - suffixLength;
/** No vowels, so that no words come out by chance; nothing that reads like something else. */
const alphabet = "bcdfghjklmnpqrstvwxz2456789";

/** Gives a whole number from 0 to below `bound`, each as likely as the next. */
export type RandomBelow = (bound: number) => number;

/** Gives the base, cut to 58 bytes, and five random characters. */
export function generateName(base: string, random: RandomBelow): string {
  let name = cutToBytes(base, maxBaseBytes);
  for (let index = 0; index < suffixLength; index++) name += alphabet.charAt(random(alphabet.length));
  return name;
}

/**
 * The answer to a create whose name is taken.
 * @param object what was to be created.
 * @param existing the object that has the name; undefined if it could not be read.
 */
export function nameTaken(object: KubeObject, existing: KubeObject | undefined, scope: WriteScope): StatusError {
  const { group, plural } = scope.resource.definition;
  const error = alreadyExists({ group, word: plural }, nameOf(object)).status;
  const isGenerated = metadataString(object, "generateName") !== "";
  const prefix = existing !== undefined && isDeleting(existing) ? "object is being deleted: " : "";
  const suffix = isGenerated ? ", the server was not able to generate a unique name for the object" : "";
  return new StatusError({
    ...error,
    message: `${prefix}${error.message}${suffix}`,
    details: { ...error.details, ...(isGenerated ? { retryAfterSeconds: 1 } : {}) },
  });
}

/** The longest beginning of whole characters within a number of bytes. */
function cutToBytes(text: string, maxBytes: number): string {
  // No character has fewer bytes of UTF-8 than units of UTF-16.
  let cut = text.slice(0, maxBytes);
  while (Buffer.byteLength(cut) > maxBytes) cut = cut.slice(0, -1);
  return cut.isWellFormed() ? cut : cut.slice(0, -1);
}
