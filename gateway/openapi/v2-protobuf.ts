/**
 * OpenAPI v2 as protobuf: what kubectl reads to check an object by itself, for a kind without patch.
 *
 * kubectl looks at a kind's PATCH to learn whether the server checks fields; where there is none it
 * checks before it sends, by the definitions of this document, and takes them in no other form.
 * So definitions are all there is in it: paths are left out.
 * Source: gnostic-models openapiv2/OpenAPIv2.proto; kube-openapi pkg/util/proto/document.go.
 */
import { encodeJson, isJsonObject, type JsonObject, type JsonValue } from "../apimachinery/json.ts";

/** As it is asked for, and as it is answered: the first is the older spelling. */
export const v2ProtobufTypes = [
  "application/com.github.proto-openapi.spec.v2@v1.0+protobuf",
  "application/com.github.proto-openapi.spec.v2.v1.0+protobuf",
] as const;

/** Encodes a document. Gives the event loop a turn after each definition. */
export async function encodeV2Protobuf(document: JsonObject): Promise<Buffer> {
  const info = document["info"] as JsonObject;
  const definitions: Buffer[] = [];
  for (const [name, schema] of Object.entries(document["definitions"] as JsonObject)) {
    definitions.push(bytesField(1, namedSchema(name, schema as JsonObject)));
    await new Promise<void>((resolve) => setImmediate(resolve));
  }
  return Buffer.concat([
    textField(1, String(document["swagger"])),
    bytesField(2, [textField(1, String(info["title"])), textField(2, String(info["version"]))]),
    bytesField(9, definitions),
  ]);
}

/** The number of each field of Schema, by how it is written. */
const texts: Readonly<Record<string, number>> = { $ref: 1, format: 2, title: 3, description: 4, pattern: 13 };
const flags: Readonly<Record<string, number>> = { exclusiveMaximum: 8, exclusiveMinimum: 10, uniqueItems: 16 };
const doubles: Readonly<Record<string, number>> = { multipleOf: 6, maximum: 7, minimum: 9 };
const integers: Readonly<Record<string, number>> = {
  maxLength: 11,
  minLength: 12,
  maxItems: 14,
  minItems: 15,
  maxProperties: 17,
  minProperties: 18,
};

function schemaFields(schema: JsonObject): Buffer[] {
  return Object.entries(schema).flatMap(([key, value]) => schemaField(key, value as JsonValue));
}

function schemaField(key: string, value: JsonValue): Buffer[] {
  if (texts[key] !== undefined) return [textField(texts[key], String(value))];
  if (flags[key] !== undefined) return value === true ? [integerField(flags[key], 1n)] : [];
  if (doubles[key] !== undefined) return [doubleField(doubles[key], Number(value))];
  if (integers[key] !== undefined) return [integerField(integers[key], BigInt(Math.trunc(Number(value))))];
  if (key.startsWith("x-")) return [bytesField(31, [textField(1, key), bytesField(2, anyValue(value))])];
  switch (key) {
    case "required":
      return (value as string[]).map((name) => textField(19, name));
    case "enum":
      return (value as JsonValue[]).map((one) => bytesField(20, anyValue(one)));
    case "additionalProperties":
      return [bytesField(21, isJsonObject(value) ? [bytesField(1, schemaFields(value))] : [integerField(2, 1n)])];
    case "type":
      return [bytesField(22, [textField(1, String(value))])];
    case "items":
      return [bytesField(23, [bytesField(1, schemaFields(value as JsonObject))])];
    case "allOf":
      return (value as JsonObject[]).map((one) => bytesField(24, schemaFields(one)));
    case "properties":
      return [bytesField(25, namedSchemas(value as JsonObject))];
    default:
      // Words that v2 has no field for; v2.ts leaves out those that mean something.
      return [];
  }
}

function namedSchemas(schemas: JsonObject): Buffer[] {
  return Object.entries(schemas).map(([name, schema]) => bytesField(1, namedSchema(name, schema as JsonObject)));
}

function namedSchema(name: string, schema: JsonObject): Buffer[] {
  return [textField(1, name), bytesField(2, schemaFields(schema))];
}

/** Any value is carried as YAML, of which JSON is a part. */
function anyValue(value: JsonValue): Buffer[] {
  return [textField(2, `${encodeJson(value)}\n`)];
}

function textField(number: number, text: string): Buffer {
  return bytesField(number, [Buffer.from(text)]);
}

function bytesField(number: number, parts: readonly Buffer[]): Buffer {
  const length = parts.reduce((sum, part) => sum + part.length, 0);
  return Buffer.concat([tag(number, 2), varint(BigInt(length)), ...parts]);
}

function integerField(number: number, value: bigint): Buffer {
  return Buffer.concat([tag(number, 0), varint(BigInt.asUintN(64, value))]);
}

function doubleField(number: number, value: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeDoubleLE(value);
  return Buffer.concat([tag(number, 1), bytes]);
}

function tag(number: number, wireType: number): Buffer {
  return varint(BigInt((number << 3) | wireType));
}

function varint(value: bigint): Buffer {
  const bytes: number[] = [];
  let rest = value;
  for (; rest > 127n; rest >>= 7n) bytes.push(Number(rest & 127n) | 128);
  bytes.push(Number(rest));
  return Buffer.from(bytes);
}
