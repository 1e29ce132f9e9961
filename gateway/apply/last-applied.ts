/**
 * The way from client-side apply to server-side apply: kubectl's annotation says what kubectl applied.
 *
 * Only for the manager `kubectl`. Source: apimachinery pkg/util/managedfields/internal/
 * {lastapplied,lastappliedmanager,lastappliedupdater}.go.
 */
import {
  encodeJson,
  isJsonObject,
  type JsonObject,
  JsonSyntaxError,
  type JsonValue,
  parseJson,
} from "../apimachinery/json.ts";
import { type KubeObject, metadataOf } from "../apimachinery/object.ts";
import type { ApplyType } from "./apply-type.ts";
import { compare } from "./compare.ts";
import { fieldSetOf } from "./field-set.ts";
import { shallowCopy } from "./managed-fields.ts";
import { difference, type PathSet } from "./path-set.ts";
import { validationError } from "./validate.ts";

const annotation = "kubectl.kubernetes.io/last-applied-configuration";
/** The manager whose annotation counts. */
export const kubectl = "kubectl";
/** All annotations of an object together, as Kubernetes limits them. */
const maxAnnotationBytes = 256 * 1024;

/**
 * Gives the fields that kubectl applied on the client's side and that are still as it applied them.
 * @returns undefined if there is nothing that can be used.
 */
export function lastAppliedFields(type: ApplyType, live: KubeObject, apiVersion: string): PathSet | undefined {
  const text = annotationsOf(live)?.[annotation];
  if (typeof text !== "string" || text === "") return undefined;
  const applied = parsed(text);
  if (!isJsonObject(applied) || applied["apiVersion"] !== apiVersion) return undefined;
  for (const object of [live, applied]) {
    if (validationError(type, object, { allowDuplicates: false }) !== undefined) return undefined;
  }
  const { modified, added, removed } = compare(type, applied, live);
  return difference(difference(difference(fieldSetOf(type, applied), modified), added), removed);
}

function parsed(text: string): JsonValue | undefined {
  try {
    return parseJson(text);
  } catch (error) {
    if (!(error instanceof JsonSyntaxError)) throw error;
    return undefined;
  }
}

/** Gives an applied object with the annotation brought up to date, if it has one. */
export function withLastApplied(object: KubeObject, patch: KubeObject): KubeObject {
  const text = annotationsOf(object)?.[annotation];
  if (typeof text !== "string" || text === "") return object;
  const annotations = shallowCopy(annotationsOf(object) as JsonObject);
  annotations[annotation] = `${encodeJson(withoutAnnotation(patch))}\n`;
  if (sizeOf(annotations) > maxAnnotationBytes) delete annotations[annotation];
  return withAnnotations(object, annotations);
}

function withoutAnnotation(patch: KubeObject): KubeObject {
  const annotations = annotationsOf(patch);
  if (annotations?.[annotation] === undefined) return patch;
  const rest = shallowCopy(annotations);
  delete rest[annotation];
  return withAnnotations(patch, rest);
}

function annotationsOf(object: KubeObject): JsonObject | undefined {
  const annotations = metadataOf(object)?.["annotations"];
  return isJsonObject(annotations) ? annotations : undefined;
}

function withAnnotations(object: KubeObject, annotations: JsonObject): KubeObject {
  const [next, metadata] = [shallowCopy(object), shallowCopy(metadataOf(object) ?? {})];
  metadata["annotations"] = annotations;
  next["metadata"] = metadata;
  return next;
}

function sizeOf(annotations: JsonObject): number {
  let bytes = 0;
  for (const key of Object.keys(annotations))
    bytes += Buffer.byteLength(key) + Buffer.byteLength(String(annotations[key]));
  return bytes;
}
