import assert from "node:assert/strict";
import { test } from "node:test";
import { plainJson } from "../apimachinery/answer-form.ts";
import type { ItemForm } from "../apimachinery/item-form.ts";
import { encodeJson, parseJson } from "../apimachinery/json.ts";
import type { IncludeObject } from "../apimachinery/options.ts";
import { Recent } from "../apimachinery/recent.ts";
import { notFound, StatusError } from "../apimachinery/status.ts";
import { encodeYaml } from "../apimachinery/yaml.ts";
import {
  compileTable,
  itemForm,
  type KeptRows,
  type ObjectList,
  renderDocument,
  renderList,
  renderObject,
  renderStatus,
  successStatus,
} from "./render.ts";
import { columnWith, formWith, now, textOf, unparsedView, viewOf, widget } from "./views.fixture.ts";

const columns = compileTable([columnWith()]);
const options = { includeObject: "Metadata", now } as const;
const table = formWith({ as: "Table" });
const textDefinitions =
  `[${encodeJsonOrdered("Name", "string", "name")},` +
  '{"name":"Text","type":"string","format":"","description":"Custom resource definition column (in JSONPath format): .spec.text","priority":0}]';
const partial =
  '{"kind":"PartialObjectMetadata","apiVersion":"meta.k8s.io/v1","metadata":{"name":"a","namespace":"ns","uid":"u1",' +
  '"resourceVersion":"7","creationTimestamp":"2026-11-24T09:55:00Z","labels":{"10":"a","9":"b"}}}';

function encodeJsonOrdered(name: string, type: string, format: string): string {
  const description =
    "Name must be unique within a namespace. Is required when creating resources, although some resources may allow a client to request the generation of an appropriate name automatically. Name is primarily intended for creation idempotence and configuration definition. Cannot be updated. More info: https://kubernetes.io/docs/concepts/overview/working-with-objects/names#names";
  return `{"name":"${name}","type":"${type}","format":"${format}","description":${encodeJson(description)},"priority":0}`;
}

function listWith(change: Partial<ObjectList>): ObjectList {
  return {
    apiVersion: "example.com/v1",
    listKind: "WidgetList",
    items: [widget],
    resourceVersion: "9",
    continueToken: "",
    remainingItemCount: undefined,
    ...change,
  };
}

test("renderObject() sends plain JSON as it lies, unparsed, with a newline", async () => {
  const view = unparsedView('{"a":1}');
  const buffers = await renderObject(view, plainJson, columns, options);
  assert.equal(buffers[0], view.json);
  assert.equal(textOf(buffers), '{"a":1}\n');
});

test("renderObject() indents without a newline at the end", async () => {
  const buffers = await renderObject(
    unparsedView('{"a":[1,{}],"b":"x,y"}'),
    formWith({ pretty: true }),
    columns,
    options,
  );
  assert.equal(textOf(buffers), '{\n  "a": [\n    1,\n    {}\n  ],\n  "b": "x,y"\n}');
});

test("renderObject() writes YAML, small and large alike", async () => {
  const form = formWith({ mediaType: "application/yaml" });
  assert.equal(textOf(await renderObject(widget, form, columns, options)), encodeYaml(widget.value));
  const large = viewOf(`{"spec":{"text":"${"x".repeat(40_000)}","big":9223372036854775807}}`);
  assert.equal(textOf(await renderObject(large, form, columns, options)), encodeYaml(large.value));
});

test("renderObject() gives metadata in the order of Go's struct, labels by bytes, empty fields left out", async () => {
  const form = formWith({ as: "PartialObjectMetadata" });
  assert.equal(textOf(await renderObject(widget, form, columns, options)), `${partial}\n`);
  const full = viewOf(
    '{"metadata":{"annotations":{},"creationTimestamp":null,"deletionGracePeriodSeconds":0,"finalizers":["f"],"generation":2,' +
      '"managedFields":[{"apiVersion":"example.com/v1","fieldsType":"FieldsV1","fieldsV1":{"f:b":{},"f:a":{}},"manager":"m","operation":"Update","time":"t"}],' +
      '"name":"a","ownerReferences":[{"apiVersion":"v1","blockOwnerDeletion":true,"controller":false,"kind":"K","name":"n","uid":"u"}]}}',
  );
  assert.equal(
    textOf(await renderObject(full, { ...form, asVersion: "v1beta1" }, columns, options)),
    '{"kind":"PartialObjectMetadata","apiVersion":"meta.k8s.io/v1beta1","metadata":{"name":"a","generation":2,"deletionGracePeriodSeconds":0,' +
      '"ownerReferences":[{"apiVersion":"v1","kind":"K","name":"n","uid":"u","controller":false,"blockOwnerDeletion":true}],"finalizers":["f"],' +
      '"managedFields":[{"manager":"m","operation":"Update","apiVersion":"example.com/v1","time":"t","fieldsType":"FieldsV1","fieldsV1":{"f:a":{},"f:b":{}}}]}}\n',
  );
});

test("renderObject() gives a Table with one row, its object as includeObject says", async () => {
  const rowObjects = { Metadata: partial, Object: widget.json.toString(), None: "null" };
  for (const includeObject of ["Metadata", "Object", "None"] as const) {
    assert.equal(
      textOf(await renderObject(widget, table, columns, { includeObject, now })),
      `{"kind":"Table","apiVersion":"meta.k8s.io/v1","metadata":{"resourceVersion":"7"},"columnDefinitions":${textDefinitions},` +
        `"rows":[{"cells":["a","\\u003cé\\u003e"],"object":${rowObjects[includeObject]}}]}\n`,
    );
  }
});

test("renderObject() indents a Table and writes it as YAML from the same text", async () => {
  const plain = parseJson(textOf(await renderObject(widget, table, columns, options)));
  const pretty = textOf(await renderObject(widget, { ...table, pretty: true }, columns, options));
  assert.ok(pretty.startsWith('{\n  "kind": "Table",\n  "apiVersion": "meta.k8s.io/v1",\n'));
  assert.deepEqual(parseJson(pretty), plain);
  const yaml = textOf(await renderObject(widget, { ...table, mediaType: "application/yaml" }, columns, options));
  assert.equal(yaml, encodeYaml(plain));
});

test("renderObject() refuses the list form of metadata, renderList() the single one, with Go's types", async () => {
  await assert.rejects(
    async () => await renderObject(widget, formWith({ as: "PartialObjectMetadataList" }), columns, options),
    (error) => {
      assert.ok(error instanceof StatusError);
      assert.equal(error.status.code, 406);
      assert.equal(
        error.status.message,
        "you requested PartialObjectMetadataList, but the requested object is not a list (*unstructured.Unstructured)",
      );
      return true;
    },
  );
  await assert.rejects(
    renderList(listWith({}), formWith({ as: "PartialObjectMetadata" }), columns, options),
    (error) => {
      assert.ok(error instanceof StatusError);
      assert.equal(
        error.status.message,
        "you requested PartialObjectMetadata, but the requested object is a list (*unstructured.UnstructuredList)",
      );
      return true;
    },
  );
});

test("renderList() puts items side by side, uncopied and unparsed", async () => {
  const items = [unparsedView('{"a":1}'), unparsedView('{"b":2}')];
  const buffers = await renderList(listWith({ items }), plainJson, columns, options);
  assert.ok(buffers.includes(items[0]?.json as Uint8Array) && buffers.includes(items[1]?.json as Uint8Array));
  assert.equal(
    textOf(buffers),
    '{"apiVersion":"example.com/v1","items":[{"a":1},{"b":2}],"kind":"WidgetList","metadata":{"continue":"","resourceVersion":"9"}}\n',
  );
});

test("renderList() says what is left, and gives an empty list its brackets", async () => {
  const list = listWith({ items: [], continueToken: "abc", remainingItemCount: 12345678901234567890n });
  assert.equal(
    textOf(await renderList(list, plainJson, columns, options)),
    '{"apiVersion":"example.com/v1","items":[],"kind":"WidgetList","metadata":{"continue":"abc","remainingItemCount":12345678901234567890,"resourceVersion":"9"}}\n',
  );
});

test("renderList() writes YAML item by item as the whole would be written", async () => {
  const odd = viewOf('{"a":"line\\n\\n  two\\n","b":[],"c":{"d":[{"e":"- x"},"é"]},"f":" lead","g":"t\\n\\n"}');
  const large = viewOf(`{"a":"${"y ".repeat(20_000)}"}`);
  for (const items of [[], [odd], [odd, large, widget]]) {
    const list = listWith({ items });
    const whole = parseJson(textOf(await renderList(list, plainJson, columns, options)));
    const yaml = textOf(await renderList(list, formWith({ mediaType: "application/yaml" }), columns, options));
    assert.equal(yaml, encodeYaml(whole));
  }
});

test("renderList() gives a Table with a row for each item and metadata without what is empty", async () => {
  const list = listWith({ items: [widget, widget], continueToken: "abc", remainingItemCount: 1n });
  const row = '{"cells":["a","\\u003cé\\u003e"],"object":null}';
  assert.equal(
    textOf(await renderList(list, table, columns, { includeObject: "None", now })),
    '{"kind":"Table","apiVersion":"meta.k8s.io/v1","metadata":{"resourceVersion":"9","continue":"abc","remainingItemCount":1},' +
      `"columnDefinitions":${textDefinitions},"rows":[${row},${row}]}\n`,
  );
  const empty = textOf(await renderList(listWith({ items: [] }), table, columns, options));
  assert.ok(empty.endsWith(',"rows":[]}\n'));
});

test("renderList() gives a list of metadata; without items it is null, as Go's nil slice", async () => {
  const form = formWith({ as: "PartialObjectMetadataList" });
  const head =
    '{"kind":"PartialObjectMetadataList","apiVersion":"meta.k8s.io/v1","metadata":{"resourceVersion":"9"},"items":';
  assert.equal(textOf(await renderList(listWith({}), form, columns, options)), `${head}[${partial}]}\n`);
  assert.equal(textOf(await renderList(listWith({ items: [] }), form, columns, options)), `${head}null}\n`);
});

test("renderList() gives the event loop turns in the middle of a long Table", async () => {
  let isDone = false;
  let turns = 0;
  const count = () => {
    if (isDone) return;
    turns++;
    setImmediate(count);
  };
  setImmediate(count);
  const slow = compileTable([columnWith({ jsonPath: "..text" })]);
  await renderList(listWith({ items: new Array(20_000).fill(widget) }), table, slow, options);
  isDone = true;
  assert.ok(turns > 2, `${turns} turns`);
});

test("compileTable() shows Name and Age if nothing is declared", async () => {
  const text = textOf(await renderObject(widget, table, compileTable([]), { includeObject: "None", now }));
  assert.match(text, /"rows":\[\{"cells":\["a","5m"\],"object":null\}\]/);
  assert.match(text, /\{"name":"Age","type":"date","format":"","description":"CreationTimestamp is /);
});

test("renderList() shows a kept row's age as it is now, and its object in the form that is asked for now", async () => {
  const kept: KeptRows = new Recent(10_000);
  const columns = compileTable([], kept);
  const rowAt = async (ageMs: number, includeObject: IncludeObject) => {
    const options = { includeObject, now: new Date(now.getTime() + ageMs) };
    return /"rows":(.*)\}\n$/s.exec(
      textOf(await renderList(listWith({ items: [widget] }), table, columns, options)),
    )?.[1];
  };
  const row = await rowAt(0, "None");
  assert.equal(row, '[{"cells":["a","5m"],"object":null}]');
  assert.notEqual(kept.get(widget), undefined);
  assert.equal(await rowAt(1_000, "None"), '[{"cells":["a","5m1s"],"object":null}]');
  assert.equal(await rowAt(0, "Object"), `[{"cells":["a","5m"],"object":${Buffer.from(widget.json)}}]`);
  assert.equal(await rowAt(-600_000, "None"), '[{"cells":["a","\\u003cinvalid\\u003e"],"object":null}]');
  assert.match((await rowAt(0, "Metadata")) ?? "", /"kind":"PartialObjectMetadata"/);
});

test("itemForm() shows a row with all of its ages, and for as long as they read the same", () => {
  const since = columnWith({ type: "date", jsonPath: ".spec.since" });
  const columns = compileTable(
    [since, columnWith(), since, columnWith({ ...since, jsonPath: ".spec.until" })],
    new Recent(10_000),
  );
  const at = now.getTime();
  const view = viewOf(
    `{"metadata":{"name":"a"},"spec":{"since":"2026-11-24T09:00:00Z","until":"2026-11-24T09:58:30Z","text":"é"}}`,
  );
  const shownAt = (ms: number) => {
    const options = { includeObject: "Object", now: new Date(ms) } as const;
    const { pieces, ...span } = (itemForm(table, columns, options) as ItemForm).show(view);
    return [textOf(pieces), span];
  };
  const row = (since: string, until: string) =>
    `{"cells":["a","${since}","é","${since}","${until}"],"object":${textOf([view.json])}}`;
  assert.deepEqual(shownAt(at + 500), [row("60m", "90s"), { fromMs: at, untilMs: at + 1_000 }]);
  assert.deepEqual(shownAt(at + 59_999), [row("60m", "2m29s"), { fromMs: at + 59_000, untilMs: at + 60_000 }]);
  assert.deepEqual(shownAt(at + 60_000), [row("61m", "2m30s"), { fromMs: at + 60_000, untilMs: at + 61_000 }]);
  assert.deepEqual(shownAt(at + 10 * 60_000), [row("70m", "11m"), { fromMs: at + 600_000, untilMs: at + 630_000 }]);
});

test("renderList() keeps no rows whose objects are more than what may be kept", async () => {
  const kept: KeptRows = new Recent(12_000);
  const columns = compileTable([], kept);
  const items = Array.from({ length: 5 }, () => ({ ...widget, json: Buffer.alloc(4_000) }));
  await renderList(listWith({ items }), table, columns, { includeObject: "None", now });
  assert.deepEqual(
    items.map((item) => kept.get(item) !== undefined),
    [false, false, false, true, true],
  );
});

test("compileTable() shows no column from the first unreadable path on", async () => {
  const some = compileTable([columnWith(), columnWith({ jsonPath: ".a[" }), columnWith()]);
  const text = textOf(await renderObject(widget, table, some, { includeObject: "None", now }));
  assert.ok(text.endsWith('"rows":[{"cells":["a","\\u003cé\\u003e"],"object":null}]}\n'));
  assert.equal(text.split('"priority"').length, 3);
});

test("renderDocument() sorts keys, or keeps the order of a Go struct", () => {
  const document = { kind: "K", apiVersion: "v1" };
  assert.equal(textOf(renderDocument(document, plainJson)), '{"apiVersion":"v1","kind":"K"}\n');
  assert.equal(textOf(renderDocument(document, plainJson, { keepOrder: true })), '{"kind":"K","apiVersion":"v1"}\n');
  assert.equal(textOf(renderDocument({ a: 1 }, formWith({ pretty: true }))), '{\n  "a": 1\n}');
  assert.equal(
    textOf(renderDocument(document, formWith({ mediaType: "application/yaml" }))),
    "apiVersion: v1\nkind: K\n",
  );
});

test("renderStatus() writes a failure as kube-apiserver does", () => {
  const { status } = notFound({ group: "example.com", word: "widgets" }, "a");
  assert.equal(
    textOf(renderStatus(status, plainJson)),
    '{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","message":"widgets.example.com \\"a\\" not found",' +
      '"reason":"NotFound","details":{"name":"a","group":"example.com","kind":"widgets"},"code":404}\n',
  );
});

test("successStatus() is what a delete answers with", () => {
  assert.equal(
    JSON.stringify(successStatus({ name: "a", group: "example.com", kind: "widgets", uid: "u" })),
    '{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Success","details":{"name":"a","group":"example.com","kind":"widgets","uid":"u"}}',
  );
});
