import assert from "node:assert/strict";
import { test } from "node:test";
import { plainJson } from "../apimachinery/answer-form.ts";
import { expired } from "../apimachinery/status.ts";
import { compileTable, eventRenderer } from "./render.ts";
import { columnWith, formWith, now, unparsedView, widget } from "./views.fixture.ts";

const columns = compileTable([columnWith()]);
const bookmark = { apiVersion: "example.com/v1", kind: "Widget", resourceVersion: "9" };
const mark = { ...bookmark, annotations: { "k8s.io/initial-events-end": "true" } };
const tableForm = formWith({ as: "Table" });
const tableStart = '"object":{"kind":"Table","apiVersion":"meta.k8s.io/v1","metadata":{"resourceVersion":';

test("eventRenderer() frames an object's own bytes, the same for every watcher", () => {
  const renderer = eventRenderer(plainJson, columns, "Metadata");
  assert.equal(renderer.isShared, true);
  assert.equal(renderer.event("ADDED", unparsedView('{"a":1}')).toString(), '{"type":"ADDED","object":{"a":1}}\n');
});

test("eventRenderer() has a key of its own for each form that is shared", () => {
  const forms = [
    plainJson,
    formWith({ as: "PartialObjectMetadata" }),
    formWith({ as: "PartialObjectMetadata", asVersion: "v1beta1" }),
  ];
  const keys = forms.map((form) => eventRenderer(form, columns, "Metadata").sharedKey);
  assert.equal(new Set(keys).size, 3);
});

test("eventRenderer() gives bookmarks with nothing but revision and annotations", () => {
  const renderer = eventRenderer(plainJson, columns, "Metadata");
  assert.equal(
    renderer.bookmark(bookmark).toString(),
    '{"type":"BOOKMARK","object":{"apiVersion":"example.com/v1","kind":"Widget","metadata":{"resourceVersion":"9"}}}\n',
  );
  assert.equal(
    renderer.bookmark(mark).toString(),
    '{"type":"BOOKMARK","object":{"apiVersion":"example.com/v1","kind":"Widget","metadata":{"annotations":{"k8s.io/initial-events-end":"true"},"resourceVersion":"9"}}}\n',
  );
});

test("eventRenderer() gives metadata only", () => {
  const renderer = eventRenderer(formWith({ as: "PartialObjectMetadata" }), columns, "Metadata");
  assert.equal(
    renderer.event("DELETED", widget).toString(),
    '{"type":"DELETED","object":{"kind":"PartialObjectMetadata","apiVersion":"meta.k8s.io/v1","metadata":{"name":"a","namespace":"ns","uid":"u1",' +
      '"resourceVersion":"7","creationTimestamp":"2026-11-24T09:55:00Z","labels":{"10":"a","9":"b"}}}}\n',
  );
  assert.equal(
    renderer.bookmark(mark).toString(),
    '{"type":"BOOKMARK","object":{"kind":"PartialObjectMetadata","apiVersion":"meta.k8s.io/v1","metadata":{"resourceVersion":"9","annotations":{"k8s.io/initial-events-end":"true"}}}}\n',
  );
});

test("eventRenderer() gives a Table's columns in the first event only", () => {
  const renderer = eventRenderer(tableForm, columns, "None", () => now);
  assert.equal(renderer.isShared, false);
  const first = renderer.event("ADDED", widget).toString();
  assert.ok(first.startsWith(`{"type":"ADDED",${tableStart}"7"},"columnDefinitions":[{"name":"Name",`));
  assert.equal(
    renderer.event("MODIFIED", widget).toString(),
    `{"type":"MODIFIED",${tableStart}"7"},"columnDefinitions":null,"rows":[{"cells":["a","\\u003cé\\u003e"],"object":null}]}}\n`,
  );
});

test("eventRenderer() shows a bookmark as a row, and the initial events' end whatever was asked for", () => {
  const renderer = eventRenderer(tableForm, columns, "None", () => now);
  assert.ok(renderer.bookmark(bookmark).includes('"columnDefinitions":[{'));
  const frame = (row: string) => `{"type":"BOOKMARK",${tableStart}"9"},"columnDefinitions":null,"rows":[${row}]}}\n`;
  assert.equal(renderer.bookmark(bookmark).toString(), frame('{"cells":["",null],"object":null}'));
  assert.equal(
    renderer.bookmark(mark).toString(),
    frame(
      '{"cells":["",null],"object":{"kind":"PartialObjectMetadata","apiVersion":"meta.k8s.io/v1","metadata":{"resourceVersion":"9","annotations":{"k8s.io/initial-events-end":"true"}}}}',
    ),
  );
});

test("eventRenderer() never transforms a Status", () => {
  const { status } = expired("too old resource version: 1 (5)");
  for (const form of [plainJson, tableForm]) {
    assert.equal(
      eventRenderer(form, columns, "Metadata").error(status).toString(),
      '{"type":"ERROR","object":{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","message":"too old resource version: 1 (5)","reason":"Expired","code":410}}\n',
    );
  }
});
