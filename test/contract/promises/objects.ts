/** What is promised of the bytes of an object, and of its name. */
import { Code } from "@connectrpc/connect";
import { jsonEqual, parseJson } from "../../../gateway/apimachinery/json.ts";
import { codeOf, type Kit, nameOf } from "../kit.ts";
import { hold, promisesOf, same, show } from "../promise.ts";
import { payloadAnnotation } from "../subject.ts";

const verbs = promisesOf("verbs");
const keeps = { verbs: "create get" };
/** Depth of nesting that Kubernetes takes is 10,000; schemas hold far less. */
const deep = 500;

export const objectPromises = [
  verbs(
    "object.unicode",
    "Text of every script, and of planes above the first, comes back as it was written.",
    keeps,
    async (kit) => {
      await comesBack(kit, "ünï שלום 你好 \u{1F600} \u0000 \u2028 \ufeff e\u0301");
    },
  ),
  verbs("object.escapes", "Escapes come back with the same meaning, lone surrogates too.", keeps, async (kit) => {
    await comesBackRaw(kit, '"\\u0041\\/\\b\\f\\n\\r\\t\\"\\\\ \\ud800 \\u0000"');
  }),
  verbs("object.numbers", "Numbers keep every digit: 64-bit integers and fractions.", keeps, async (kit) => {
    await comesBackIn(
      kit,
      '{"max":9223372036854775807,"min":-9223372036854775808,"above":9007199254740993,"f":0.1,"e":1e100}',
    );
  }),
  verbs("object.keys", "Any key of a map is kept: one like a number, __proto__, an empty one.", keeps, async (kit) => {
    await comesBackIn(kit, '{"2":1,"1":2,"__proto__":{"a":1},"constructor":3,"":4,"a.b/c":5}');
  }),
  verbs("object.nesting", "Deep nesting is kept.", keeps, async (kit) => {
    await comesBackIn(kit, `{"deep":${"[".repeat(deep)}${"]".repeat(deep)}}`);
  }),
  verbs("object.many-fields", "An object of ten thousand fields is kept.", keeps, async (kit) => {
    await comesBackIn(
      kit,
      JSON.stringify(Object.fromEntries(Array.from({ length: 10_000 }, (_, index) => [`k${index}`, index]))),
    );
  }),
  verbs(
    "object.largest",
    "An object of the largest size that is declared goes in and comes out.",
    keeps,
    async (kit) => {
      const made = await sized(kit, kit.subject.maxObjectBytes);
      const { object } = await kit.get(made.key);
      same(object.json.length, made.json.length, "bytes");
      hold(Buffer.compare(object.json, made.json) === 0, "the bytes differ");
    },
  ),
  verbs(
    "object.too-large",
    "An object above the largest size is refused, or kept whole: never cut.",
    keeps,
    async (kit) => {
      const bytes = kit.subject.maxObjectBytes + 64 * 1024;
      try {
        const made = await sized(kit, bytes);
        same((await kit.get(made.key)).object.json.length, bytes, "bytes that were kept");
      } catch (error) {
        const code = await codeOf(Promise.reject(error));
        hold(code === Code.InvalidArgument || code === Code.ResourceExhausted, `it was refused with ${nameOf(code)}`);
      }
      await kit.make("after");
    },
  ),
  verbs("object.sizes", "Objects of every size around the powers of two are kept whole.", keeps, async (kit) => {
    const least = kit.json(kit.key(), "").length + 20;
    for (const bytes of [1024, 4096, 16_384, 65_536, 262_144].flatMap((power) => [power - 1, power, power + 1])) {
      if (bytes < least) continue;
      const made = await sized(kit, bytes);
      hold(
        Buffer.compare((await kit.get(made.key)).object.json, made.json) === 0,
        `${bytes} bytes come back otherwise`,
      );
    }
  }),
  verbs(
    "name.longest",
    "A name of 253 characters, in a namespace of 63, is a name like any other.",
    keeps,
    async (kit) => {
      const key = kit.key();
      const name = key.name.padEnd(253, "n");
      const made = await kit.make(1, { key: { ...key, name } });
      const sibling = await kit.make(2, { key: { ...key, name: `${name.slice(0, 252)}m` } });
      same((await kit.get(made.key)).object.json, made.json, "the object");
      same((await kit.get(sibling.key)).object.json, sibling.json, "the object whose last character differs");
    },
  ),
  verbs(
    "name.characters",
    "Names of every character that Kubernetes takes in a path are kept apart.",
    keeps,
    async (kit) => {
      const names = [
        "a.b",
        "a-b",
        "a_b",
        "aXb",
        "a:b",
        "a~b",
        "a@b",
        "a+b",
        "a b",
        "a*b",
        "a(b",
        "a'b",
        'a"b',
        "a;b",
        "a\\b",
        "é",
      ];
      const made = await Promise.all(names.map((name) => kit.make({ name }, { key: kit.key(name) })));
      for (const one of made) same((await kit.get(one.key)).object.json, one.json, `the object "${one.key.name}"`);
    },
  ),
  verbs("name.case", "Names that differ by case are two.", keeps, async (kit) => {
    const lower = await kit.make("lower", { key: kit.key("case") });
    same(nameOf(await codeOf(kit.get(kit.key("CASE")))), "NOT_FOUND", "the answer for the other case");
    const upper = await kit.make("upper", { key: kit.key("CASE") });
    same((await kit.get(lower.key)).object.json, lower.json, "the first object");
    same((await kit.get(upper.key)).object.json, upper.json, "the second object");
  }),
  verbs("name.no-pattern", "A name is no pattern: % and _ stand for themselves.", keeps, async (kit) => {
    await kit.make(1, { key: kit.key("pattern-x") });
    same(nameOf(await codeOf(kit.get(kit.key("pattern-_")))), "NOT_FOUND", "the answer for pattern-_");
    same(nameOf(await codeOf(kit.get(kit.key("pattern-%")))), "NOT_FOUND", "the answer for pattern-%");
  }),
];

/** Makes an object of exactly so many bytes. */
async function sized(kit: Kit, bytes: number) {
  const key = kit.key();
  const uid = "u";
  const least = kit.json(key, "", kit.subject, uid).length;
  return await kit.make(1, { key, json: kit.json(key, "x".repeat(bytes - least), kit.subject, uid) });
}

async function comesBack(kit: Kit, text: string): Promise<void> {
  await comesBackRaw(kit, JSON.stringify(text));
}

/** Writes an object whose payload annotation is the JSON text as it is given. */
async function comesBackRaw(kit: Kit, jsonText: string): Promise<void> {
  const key = kit.key();
  const text = Buffer.from(kit.json(key, "PAYLOAD"))
    .toString()
    .replace('"PAYLOAD"', () => jsonText);
  await isKept(kit, key, text);
}

/** Writes an object with a field that no schema names: a store keeps what it needn't understand. */
async function comesBackIn(kit: Kit, jsonText: string): Promise<void> {
  const key = kit.key();
  const text = Buffer.from(kit.json(key, "PAYLOAD")).toString();
  const inner = text.replace(`"annotations":`, () => `"certify":${jsonText},"annotations":`);
  hold(inner.includes(payloadAnnotation), "the object has no annotation");
  await isKept(kit, key, inner);
}

async function isKept(kit: Kit, key: ReturnType<Kit["key"]>, text: string): Promise<void> {
  const made = await kit.make(1, { key, json: Buffer.from(text) });
  const { object } = await kit.get(made.key);
  if (Buffer.from(object.json).toString() === text) return;
  hold(
    jsonEqual(parseJson(object.json), parseJson(text)),
    `the object came back as ${show(object.json)}, not as ${show(text)}`,
  );
}
