/**
 * YAML answers, written in slices. A list is written item by item, so that it never lies in memory
 * as values.
 */
import { encodeJson, type JsonValue, jsonParser } from "../apimachinery/json.ts";
import type { ObjectView } from "../apimachinery/object.ts";
import { createTurns, finishInSlices } from "../apimachinery/steps.ts";
import { yamlEncoder } from "../apimachinery/yaml.ts";

/** Gives one document as YAML. */
export async function yamlOf(json: Uint8Array): Promise<Buffer> {
  return await finishInSlices(yamlEncoder(await parsed(json)));
}

/** Gives a list as YAML. `metadata` is encoded JSON. */
export async function yamlList(list: {
  readonly apiVersion: string;
  readonly listKind: string;
  readonly items: readonly ObjectView[];
  readonly metadata: string;
}): Promise<readonly Uint8Array[]> {
  const { apiVersion, listKind, items, metadata } = list;
  const turn = createTurns();
  const head = `{"apiVersion":${encodeJson(apiVersion)}${items.length === 0 ? ',"items":[]' : ""}}`;
  const buffers = [await yamlOf(Buffer.from(head))];
  if (items.length > 0) buffers.push(Buffer.from("items:\n"));
  for (const { json } of items) {
    // A sequence stands as far left as its key: a sequence of one is the item as it stands in the list.
    buffers.push(await finishInSlices(yamlEncoder([await parsed(json)])));
    await turn();
  }
  buffers.push(await yamlOf(Buffer.from(`{"kind":${encodeJson(listKind)},"metadata":${metadata}}`)));
  return buffers;
}

async function parsed(json: Uint8Array): Promise<JsonValue> {
  return (await finishInSlices(jsonParser(json))).value;
}
