/**
 * Deletes of one object and of many: options in body and query, preconditions, finalizers, propagation.
 */
import type { Scenario, Step } from "../scenario.ts";
import {
  combinations,
  gear,
  gears,
  get,
  note,
  notes,
  patch,
  plate,
  plates,
  post,
  put,
  remove,
  saveAll,
  withQuery,
} from "../scenario.ts";

type Fields = Readonly<Record<string, unknown>>;
const options = (fields: Fields) => ({ kind: "DeleteOptions", apiVersion: "v1", ...fields });
const hold = ["differential.annex.dev/hold"];

const bodies: readonly Fields[] = [
  {},
  ...["Orphan", "Background", "Foreground", "Other", "", null, 5].map((propagationPolicy) => ({ propagationPolicy })),
  ...[0, 30, -1, "x", null, 1.5].map((gracePeriodSeconds) => ({ gracePeriodSeconds })),
  ...[true, false, null, "x"].map((orphanDependents) => ({ orphanDependents })),
  { orphanDependents: true, propagationPolicy: "Orphan" },
  { orphanDependents: false, propagationPolicy: "Background" },
  ...[["All"], [], ["x"], "All", ["All", "All"], null].map((dryRun) => ({ dryRun })),
  { dryRun: ["All"], propagationPolicy: "Orphan" },
  { preconditions: {} },
  { preconditions: null },
  { preconditions: { uid: "x" } },
  { preconditions: { uid: "<<uid>>" } },
  { preconditions: { resourceVersion: "<<rv>>" } },
  { preconditions: { resourceVersion: "1" } },
  { preconditions: { resourceVersion: "abc" } },
  { preconditions: { uid: "<<uid>>", resourceVersion: "1" } },
  { preconditions: { uid: 5 } },
  { preconditions: "x" },
  { unknown: 1 },
  { ignoreStoreReadErrorWithClusterBreakingPotential: true },
  { ignoreStoreReadErrorWithClusterBreakingPotential: false },
  { ignoreStoreReadErrorWithClusterBreakingPotential: true, propagationPolicy: "Orphan" },
  { ignoreStoreReadErrorWithClusterBreakingPotential: true, dryRun: ["All"] },
  { gracePeriodSeconds: 5, propagationPolicy: "Foreground" },
];
const shapes: readonly unknown[] = [
  { kind: "DeleteOptions" },
  { apiVersion: "v1" },
  { kind: "DeleteOptions", apiVersion: "meta.k8s.io/v1" },
  { kind: "DeleteOptions", apiVersion: "differential.annex.dev/v1" },
  { kind: "DeleteOptions", apiVersion: "other/v1" },
  { kind: "DeleteOptions", apiVersion: "v2" },
  { kind: "Foo", apiVersion: "v1" },
  { kind: "Gear", apiVersion: "differential.annex.dev/v1" },
  { kind: "Status", apiVersion: "v1" },
  { kind: "DeleteOptions", apiVersion: "a/b/c" },
  { kind: 5 },
  { kind: "ListOptions", apiVersion: "v1" },
  { propagationPolicy: "Orphan" },
  [],
  null,
  5,
  "x",
  "{",
  " ",
  "kind: DeleteOptions\napiVersion: v1\npropagationPolicy: Orphan\n",
];
const queries: readonly Readonly<Record<string, string>>[] = [
  { propagationPolicy: "Orphan" },
  { propagationPolicy: "Foreground" },
  { propagationPolicy: "x" },
  { propagationPolicy: "" },
  { gracePeriodSeconds: "0" },
  { gracePeriodSeconds: "x" },
  { gracePeriodSeconds: "-5" },
  { gracePeriodSeconds: "" },
  { orphanDependents: "true" },
  { orphanDependents: "false" },
  { orphanDependents: "" },
  { orphanDependents: "x" },
  { dryRun: "All" },
  { dryRun: "x" },
  { dryRun: "" },
  { uid: "x" },
  { uid: "<<uid>>" },
  { resourceVersion: "1" },
  { resourceVersion: "<<rv>>" },
  { "preconditions.uid": "x" },
  { orphanDependents: "true", propagationPolicy: "Orphan" },
  { pretty: "true" },
  { labelSelector: "a=b" },
  { fieldSelector: "metadata.name=other" },
  { ignoreStoreReadErrorWithClusterBreakingPotential: "true" },
  { timeout: "x" },
];

const starts: readonly (readonly string[])[] = [
  [],
  hold,
  ["orphan"],
  ["foregroundDeletion"],
  [...hold, "foregroundDeletion"],
];
const start = (finalizers: readonly string[]): Step =>
  post(gears, gear("a", undefined, {}, finalizers.length > 0 ? { finalizers } : {}), { save: saveAll });
const after: readonly Step[] = [get(`${gears}/a`), remove(`${gears}/a`), get(`${gears}/a`)];

function singleScenarios(): Scenario[] {
  const byBody = bodies.flatMap((body) =>
    starts.map((finalizers) => ({
      family: "delete",
      steps: [start(finalizers), remove(`${gears}/a`, options(body)), ...after],
    })),
  );
  const byShape = shapes.flatMap((body) =>
    [undefined, "application/json", "application/yaml"].map((type) => ({
      family: "delete",
      steps: [
        start([]),
        remove(`${gears}/a`, body, type === undefined ? {} : { headers: { "content-type": type } }),
        ...after,
      ],
    })),
  );
  const byQuery = queries.flatMap((query) =>
    starts.slice(0, 2).map((finalizers) => ({
      family: "delete",
      steps: [
        start(finalizers),
        remove(withQuery(`${gears}/a`, query), { kind: "DeleteOptions", apiVersion: "v1" }),
        remove(withQuery(`${gears}/a`, query)),
        ...after,
      ],
    })),
  );
  return [...byBody, ...byShape, ...byQuery];
}

/** The two steps of an end: marked, then let go by each kind of write. */
function finalizerScenarios(): Scenario[] {
  const marked: readonly Step[] = [
    post(gears, gear("a", undefined, {}, { finalizers: [...hold, "differential.annex.dev/other"] }), { save: saveAll }),
    remove(`${gears}/a`),
    get(`${gears}/a`, { save: saveAll }),
  ];
  const writes: readonly Step[] = [
    patch(`${gears}/a`, "merge", { metadata: { finalizers: null } }),
    patch(`${gears}/a`, "merge", { metadata: { finalizers: [] } }),
    patch(`${gears}/a`, "merge", { metadata: { finalizers: hold } }),
    patch(`${gears}/a`, "merge", { metadata: { finalizers: [...hold, "new/one"] } }),
    patch(`${gears}/a`, "merge", { metadata: { finalizers: ["new/one"] } }),
    patch(`${gears}/a`, "merge", { metadata: { deletionTimestamp: null } }),
    patch(`${gears}/a`, "merge", { metadata: { deletionTimestamp: "2001-01-01T00:00:00Z" } }),
    patch(`${gears}/a`, "merge", { metadata: { deletionGracePeriodSeconds: 9 } }),
    patch(`${gears}/a`, "merge", { metadata: { deletionGracePeriodSeconds: null } }),
    patch(`${gears}/a`, "merge", { spec: { color: "blue" } }),
    patch(`${gears}/a`, "json", [{ op: "remove", path: "/metadata/finalizers" }]),
    patch(`${gears}/a`, "json", [{ op: "remove", path: "/metadata/finalizers/0" }]),
    patch(`${gears}/a?dryRun=All`, "merge", { metadata: { finalizers: null } }),
    put(`${gears}/a`, gear("a", undefined, {}, { resourceVersion: "<<rv>>" })),
    put(`${gears}/a`, gear("a", { color: "blue" }, {}, { resourceVersion: "<<rv>>", finalizers: hold })),
    put(`${gears}/a/status`, gear("a", undefined, { status: { phase: "Waiting" } }, { resourceVersion: "<<rv>>" })),
    patch(`${gears}/a/status`, "merge", { metadata: { finalizers: null } }),
    post(gears, gear("a")),
    patch(`${gears}/a`, "merge", { spec: { color: "pink" }, metadata: { finalizers: null } }),
    ...["Orphan", "Background", "Foreground"].map((propagationPolicy) =>
      remove(`${gears}/a`, options({ propagationPolicy })),
    ),
    remove(`${gears}/a`, options({ orphanDependents: false })),
    remove(`${gears}/a`, options({ gracePeriodSeconds: 0 })),
    remove(`${gears}/a`, options({ gracePeriodSeconds: 30 })),
    remove(`${gears}/a`, options({ preconditions: { uid: "x" } })),
    remove(gears),
    put(`${gears}/a/scale`, {
      apiVersion: "autoscaling/v1",
      kind: "Scale",
      metadata: { name: "a" },
      spec: { replicas: 1 },
    }),
  ];
  return writes.map((write) => ({
    family: "finalizers",
    steps: [
      ...marked,
      write,
      get(`${gears}/a`),
      patch(`${gears}/a`, "merge", { metadata: { finalizers: null } }),
      get(`${gears}/a`),
      get(gears),
    ],
  }));
}

function collectionScenarios(): Scenario[] {
  const three: readonly Step[] = [
    post(gears, gear("a", undefined, {}, { labels: { n: "1" } }), { save: saveAll }),
    post(gears, gear("b", { color: "blue" }, {}, { labels: { n: "2" }, finalizers: hold })),
    post(gears, gear("c", undefined, {}, { labels: { n: "3" } })),
    get(gears, { save: { now: "metadata.resourceVersion" } }),
  ];
  const selections: readonly Readonly<Record<string, string>>[] = [
    {},
    { labelSelector: "n=1" },
    { labelSelector: "n in (1,2)" },
    { labelSelector: "a b" },
    { fieldSelector: "metadata.name=c" },
    { fieldSelector: "spec.color=blue" },
    { fieldSelector: "spec.none=1" },
    { limit: "1" },
    { limit: "2", labelSelector: "n!=1" },
    { limit: "x" },
    { resourceVersion: "<<now>>" },
    { resourceVersion: "0" },
    { resourceVersion: "abc" },
    { resourceVersionMatch: "Exact" },
    { resourceVersion: "<<now>>", resourceVersionMatch: "NotOlderThan" },
    { resourceVersion: "<<now>>", resourceVersionMatch: "Exact" },
    { continue: "abc" },
    { watch: "true" },
    { dryRun: "All" },
    { propagationPolicy: "Orphan" },
    { propagationPolicy: "x" },
    { gracePeriodSeconds: "5" },
    { uid: "x" },
    { orphanDependents: "false" },
    { pretty: "true" },
    { timeoutSeconds: "5" },
    { sendInitialEvents: "true" },
    { allowWatchBookmarks: "true" },
  ];
  const accepts = [
    "application/json;as=Table;v=v1;g=meta.k8s.io",
    "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io",
    "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io",
    "application/yaml",
    "text/html",
  ];
  return [
    ...selections.map((query) => ({
      family: "deletecollection",
      steps: [
        ...three,
        remove(withQuery(gears, query)),
        get(gears),
        remove(withQuery(gears, query), options({ propagationPolicy: "Background" })),
        get(gears),
      ],
    })),
    ...bodies.map((body) => ({
      family: "deletecollection",
      steps: [...three, remove(gears, options(body)), get(gears)],
    })),
    ...accepts.map((accept) => ({
      family: "deletecollection",
      steps: [
        ...three,
        remove(`${gears}/a`, undefined, { headers: { accept } }),
        remove(gears, undefined, { headers: { accept } }),
        get(gears),
      ],
    })),
    {
      family: "deletecollection",
      steps: [
        remove(gears),
        remove(notes),
        post(notes, note("a")),
        remove(notes),
        get(notes),
        post(plates, plate("a")),
        post(plates, plate("b", {}, { finalizers: hold })),
        remove(withQuery(plates, { labelSelector: "scenario=<<id>>" })),
        get(withQuery(plates, { labelSelector: "scenario=<<id>>" })),
      ],
    },
  ];
}

export const deleteScenarios = (): Scenario[] => [
  ...singleScenarios(),
  ...finalizerScenarios(),
  ...collectionScenarios(),
  ...combinations<string | undefined>({
    propagationPolicy: [undefined, "Orphan", "Foreground"],
    dryRun: [undefined, "All"],
    gracePeriodSeconds: [undefined, "0", "7"],
  }).map((query) => ({
    family: "delete",
    steps: [
      post(plates, plate("a"), { save: saveAll }),
      remove(withQuery(`${plates}/<<id>>-a`, query)),
      remove(withQuery(`${plates}/<<id>>-a`, query)),
      get(`${plates}/<<id>>-a`),
    ],
  })),
];
