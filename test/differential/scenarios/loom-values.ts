/**
 * What is put into a loom, and what clients say of who owns which field of it.
 */

/** Values of each field: some overlap, some are of another kind or can't be told apart, where apply refuses them. */
export const loomSpecs: Readonly<Record<string, readonly unknown[]>> = {
  replicas: [1, 2, 3, null],
  word: ["a", "b", "c", null, ""],
  size: [1, "1", "50%", 2],
  ratio: [1, 1.5, 1e21],
  flag: [true, false],
  maybe: [null, "a"],
  tags: [["a"], ["b", "a"], ["c", "b"], [], null, ["a", "a"]],
  marks: [[1, 2], [2, 3], [3, 2, 1], [0]],
  sizes: [[1, "1"], ["50%"], [1]],
  plain: [["a", "b"], ["b"], ["a", "a"], []],
  rows: [[{ a: 1 }], [{ a: 1, b: "c" }, {}], []],
  threads: [
    [{ name: "a", color: "red" }],
    [{ name: "b", length: 5 }, { name: "a" }],
    [{ name: "a", color: "blue", tags: ["x", "y"] }],
    [{ name: "c", tags: ["y"], knots: [{ at: 1, kind: "k" }, { at: 2 }] }],
    [{ name: "c", knots: [{ at: 2, kind: "l" }], style: { bold: true, width: 1 } }],
    [
      { name: "c", style: { bold: false } },
      { name: "b", color: null },
    ],
    [{ name: "a" }, { name: "a" }],
    [{ color: "red" }],
    [{ name: 'quoted " = \\ é\u2028<' }],
    [],
  ],
  ports: [
    [{ port: 80 }],
    [{ port: 80, protocol: "UDP" }, { port: 80 }],
    [{ port: 80, protocol: "TCP", open: false, target: "http" }],
    [{ port: 80, open: true, target: 8080 }, { port: 443 }],
    [
      { port: 80, target: 1 },
      { port: 80, protocol: "TCP" },
    ],
    [{ protocol: "TCP" }],
  ],
  labels: [{ a: "1" }, { a: "2", b: "1" }, { b: "2", "x.y/z": "" }, {}, null],
  fixed: [{ a: "1" }, { a: "2", b: "1" }, {}],
  deep: [
    { x: { y: { a: 1 } } },
    { x: { y: { a: 2, list: [{ name: "a" }] }, z: {} } },
    { x: { y: { list: [{ name: "a", knots: [{ at: 1 }] }] } }, w: {} },
    { x: {} },
    { x: null },
    {},
  ],
  pair: [{ left: "a" }, { left: "b", right: { a: 1 } }, {}],
  free: [
    { known: { a: 1 }, other: { b: [1, { c: 2 }] } },
    { other: { b: [1], d: null }, list: [{ name: "a" }] },
    { known: { a: 2 } },
    { text: "x" },
    {},
  ],
  anything: [1, "x", [1, 2], { a: { b: 1 } }, { a: [{}] }, null, { a: { c: null } }],
  inner: [
    { apiVersion: "v1", kind: "Pod", metadata: { name: "p", labels: { a: "1" } }, spec: { tags: ["a"] } },
    { apiVersion: "v1", kind: "Pod", metadata: { name: "p", finalizers: ["a/b"] }, spec: { tags: ["b"] } },
    { apiVersion: "v2", kind: "Pod", metadata: { annotations: { a: "1" } } },
    { metadata: {} },
  ],
  open: [
    { apiVersion: "v1", kind: "Pod", metadata: { name: "p" }, data: { a: [1] } },
    { apiVersion: "v1", kind: "Pod", data: { a: [2], b: { c: 1 } } },
  ],
  inners: [[{ apiVersion: "v1", kind: "Pod", metadata: { labels: { a: "1" } } }], []],
};

export const loomStatuses: readonly unknown[] = [
  { replicas: 1 },
  { replicas: 2, conditions: [{ type: "Ready", status: "True" }] },
  {
    conditions: [
      { type: "Ready", status: "False", reason: "r" },
      { type: "Idle", status: "True" },
    ],
  },
  { conditions: [{ type: "Idle" }, { type: "Idle" }] },
  { conditions: [] },
  {},
  null,
];

const owner = (uid: string, more = {}) => ({ apiVersion: "v1", kind: "Pod", name: "p", uid, ...more });

/** What is tracked of metadata, and what isn't. */
export const metadatas: readonly Readonly<Record<string, unknown>>[] = [
  { labels: { a: "1" } },
  { labels: { a: "2", "b.c/d": "1" } },
  { annotations: { a: "1" }, labels: {} },
  { annotations: { a: "2", b: "\n" } },
  { labels: null },
  { finalizers: ["a.b/c"] },
  { finalizers: ["a.b/d", "a.b/c"] },
  { ownerReferences: [owner("1")] },
  { ownerReferences: [owner("1", { controller: true }), owner("2")] },
  { generation: 7, selfLink: "/x" },
  { deletionGracePeriodSeconds: 5 },
];

const entry = (fieldsV1: unknown, more = {}) => ({
  manager: "given",
  operation: "Apply",
  apiVersion: "differential.annex.dev/v1",
  fieldsType: "FieldsV1",
  fieldsV1,
  time: "2024-05-06T07:08:09Z",
  ...more,
});
const word = { "f:spec": { "f:word": {} } };

/** What clients write as managedFields: resets, entries as they should be, and what can't be read. */
export const givenEntries: readonly unknown[] = [
  [],
  [{}],
  [{}, {}],
  null,
  "text",
  {},
  [null],
  [1],
  [{ manager: "given" }],
  [entry(word)],
  [entry(word), entry({ "f:spec": { "f:tags": { ".": {}, 'v:"a"': {} } } })],
  [entry(word), entry(word, { manager: "alice" }), entry(word, { manager: "alice", operation: "Update" })],
  [entry(word, { time: "2024-05-06T09:08:09+02:00" }), entry(word, { manager: "z", time: "2024-05-06T07:00:00Z" })],
  [entry(word, { time: "2024-05-06T07:08:09.5Z" })],
  [entry(word, { time: null }), entry(word, { manager: "b", time: undefined })],
  [entry(word, { time: "yesterday" })],
  [entry(word, { time: 5 })],
  [entry(word, { operation: "Own" })],
  [entry(word, { operation: "" })],
  [entry(word, { apiVersion: "" })],
  [entry(word, { apiVersion: "differential.annex.dev/v9" })],
  [entry(word, { apiVersion: "differential.annex.dev/v2" })],
  [entry(word, { apiVersion: "a/b/c" })],
  [entry(word, { apiVersion: "other/v1" })],
  [entry(word, { fieldsType: "" })],
  [entry(word, { fieldsType: "FieldsV2" })],
  [entry(word, { manager: "" })],
  [entry(word, { manager: "m".repeat(129) })],
  [entry(word, { manager: "line\nbreak" })],
  [entry(word, { subresource: "status" })],
  [entry(word, { subresource: "strange", extra: 1 })],
  [entry(undefined)],
  [entry(null)],
  [entry({})],
  [entry("text")],
  [entry([])],
  [entry({ "f:spec": { word: {} } })],
  [entry({ "f:spec": { "f:word": 1 } })],
  [entry({ "f:spec": { "f:word": null } })],
  [entry({ "f:spec": null })],
  [entry({ "f:spec": { "q:word": {} } })],
  [entry({ "f:spec": { "f:threads": { "k:{}": {}, 'k:{"name":1}': {}, "k:[]": {} } } })],
  [entry({ "f:spec": { "f:threads": { 'k:{"name":"a" }': { ".": {}, "f:name": {}, "f:color": {} } } } })],
  [entry({ "f:spec": { "f:ports": { 'k:{"protocol":"TCP","port":80,"open":false}': { ".": {}, "f:port": {} } } } })],
  [entry({ "f:spec": { "f:marks": { "v:1.0": {}, "v:2": {}, "v:x": {} } } })],
  [entry({ "f:spec": { "f:rows": { "i:0": { "f:a": {} }, "i:1": {}, "i:x": {} } } })],
  [entry({ "f:none": { "f:of": {} }, "f:metadata": { "f:name": {}, "f:uid": {}, "f:labels": { "f:a": {} } } })],
  [entry({ ".": {}, "f:spec": { ".": {}, "f:word": { ".": {} }, "f:tags": {} } })],
];
