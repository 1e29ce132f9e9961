/**
 * Lists and watches together: each start of a watch with each selection in each form, and, of chance, reads
 * of earlier states, pages and watches that begin anywhere between changes that enter and leave a selection.
 */
import type { Random } from "../random.ts";
import type { Scenario, Step } from "../scenario.ts";
import {
  allGears,
  combinations,
  gear,
  gears,
  get,
  oldGears,
  patch,
  post,
  put,
  remove,
  saveAll,
  watch,
  withQuery,
} from "../scenario.ts";

type Query = Readonly<Record<string, string | undefined>>;

const hold = "differential.annex.dev/hold";
const labels = (side: string) => ({ labels: { side, scenario: "<<id>>" } });
const forms = {
  whole: undefined,
  table: "application/json;as=Table;v=v1;g=meta.k8s.io,application/json",
  metadata: "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io",
  metadataList: "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io,application/json",
} as const;
const inForm = (accept: string | undefined) => (accept === undefined ? {} : { headers: { accept } });

/** Waits for the caches on both sides, and remembers where they are. */
const now = (name: string) => get(gears, { save: { [name]: "metadata.resourceVersion" } });

const before: readonly Step[] = [
  post(gears, gear("a", { color: "red", count: 1, flag: true }, {}, labels("in")), { save: saveAll }),
  post(gears, gear("b", { color: "blue", count: 2 }, {}, labels("out"))),
  post(gears, gear("c", { color: "red", count: 2 }, {}, { ...labels("in"), finalizers: [hold] })),
  now("now"),
];
const changes: readonly Step[] = [
  patch(`${gears}/b`, "merge", { metadata: labels("in"), spec: { color: "red" } }),
  patch(`${gears}/a`, "merge", { metadata: labels("out") }),
  patch(`${gears}/a`, "merge", { spec: { color: "green", count: 2 } }),
  remove(`${gears}/c`),
  patch(`${gears}/c`, "merge", { metadata: { finalizers: null } }),
  post(gears, gear("c", { color: "blue", count: 1 }, {}, labels("in"))),
  patch(`${gears}/a/status`, "merge", { status: { phase: "Turning" } }),
  remove(`${gears}/b`),
];

const selections: readonly Query[] = [
  {},
  { labelSelector: "side=in" },
  { labelSelector: "side notin (in),scenario" },
  { fieldSelector: "spec.color=red" },
  { fieldSelector: "spec.color!=red,spec.count=2" },
  { fieldSelector: "metadata.name=c", labelSelector: "side=in" },
];
const starts: readonly Query[] = [
  { sendInitialEvents: "true", resourceVersionMatch: "NotOlderThan", allowWatchBookmarks: "true" },
  {
    ...{ sendInitialEvents: "true", resourceVersionMatch: "NotOlderThan", allowWatchBookmarks: "true" },
    resourceVersion: "<<now>>",
    timeoutSeconds: "60",
  },
  { sendInitialEvents: "true", resourceVersionMatch: "NotOlderThan", resourceVersion: "0" },
  { sendInitialEvents: "false", resourceVersionMatch: "NotOlderThan", resourceVersion: "<<rv>>" },
  { sendInitialEvents: "false", resourceVersionMatch: "NotOlderThan", allowWatchBookmarks: "true" },
  { resourceVersion: "<<rv>>", allowWatchBookmarks: "true", timeoutSeconds: "60" },
  { resourceVersion: "0", limit: "1" },
];

/** Each start, selection and form, in one version or the other. */
function startScenarios(): Scenario[] {
  return combinations<Query | string | undefined>({
    start: starts,
    selection: selections,
    form: Object.values(forms),
  }).map(({ start, selection, form }, index) => {
    // The older version has fewer columns, and no fields to select by.
    const isOld = index % 5 === 4 && (selection as Query)["fieldSelector"] === undefined;
    const query = { watch: "true", ...(start as Query), ...(selection as Query) };
    return {
      family: "watch",
      steps: [
        ...before,
        watch(withQuery(isOld ? oldGears : gears, query), inForm(form as string | undefined)),
        ...changes,
      ],
    };
  });
}

/** Where else a collection can be asked for. */
function pathScenarios(): Scenario[] {
  const own = { labelSelector: "scenario=<<id>>" };
  const paths: readonly Step[] = [
    watch(withQuery(allGears, { watch: "true", ...own, fieldSelector: "spec.color=red" })),
    watch(withQuery(allGears, { watch: "true", ...own, resourceVersion: "<<rv>>" }), inForm(forms.table)),
    watch(withQuery(allGears, { watch: "true", ...own, ...starts[0] }), inForm(forms.metadata)),
    watch(
      withQuery(allGears, {
        watch: "true",
        fieldSelector: "metadata.namespace=<<ns>>,metadata.name!=a",
        resourceVersion: "<<now>>",
      }),
    ),
    watch(withQuery(`${allGears.replace("/gears", "/watch/gears")}`, { ...own, fieldSelector: "spec.count=2" })),
    watch(
      withQuery("/apis/differential.annex.dev/v1/watch/namespaces/<<ns>>/gears", {
        ...starts[0],
        labelSelector: "side=in",
      }),
    ),
    watch(
      withQuery("/apis/differential.annex.dev/v1/watch/namespaces/<<ns>>/gears/a", { resourceVersion: "<<rv>>" }),
      inForm(forms.table),
    ),
    watch(withQuery("/apis/differential.annex.dev/v1/watch/namespaces/<<ns>>/gears/c", { labelSelector: "side=in" })),
    ...["Object", "None", "Metadata"].map((includeObject) =>
      watch(
        withQuery(gears, { watch: "true", includeObject, labelSelector: "side=in", ...starts[0] }),
        inForm(forms.table),
      ),
    ),
  ];
  return paths.map((step) => ({ family: "watch", steps: [...before, step, ...changes] }));
}

/** Changes of each scenario of chance. */
const changesOfOne = 12;

/** Gives so many scenarios of chance. */
function mixedFeeds(random: Random, count: number): Scenario[] {
  return Array.from({ length: count }, () => {
    const steps: Step[] = [...before.slice(0, 3), now("rv0")];
    let known = 1;
    for (let change = 0; change < changesOfOne; change++) {
      steps.push(changeOf(random));
      if (random.oneIn(2)) steps.push(now(`rv${known++}`));
      if (random.oneIn(6)) steps.push(watchOf(random, known));
    }
    steps.push(now("last"), ...readsOf(random, known), watchOf(random, known));
    return { family: "watch", steps };
  });
}

function changeOf(random: Random): Step {
  const path = `${gears}/${random.pick(["a", "b", "c", "d"])}`;
  const name = path.slice(gears.length + 1);
  const side = random.pick(["in", "out"]);
  const spec = { color: random.pick(["red", "green", "blue"]), count: 1 + random.below(3) };
  switch (random.below(8)) {
    case 0:
    case 1:
      return post(gears, gear(name, spec, {}, labels(side)));
    case 2:
      return put(path, gear(name, spec, {}, labels(side)));
    case 3:
      return patch(path, "merge", { metadata: labels(side) });
    case 4:
      return patch(path, "merge", { spec });
    case 5:
      return patch(`${path}/status`, "merge", { status: { phase: side } });
    case 6:
      return patch(path, "merge", { metadata: { finalizers: random.oneIn(2) ? [hold] : null } });
    default:
      return remove(path);
  }
}

function watchOf(random: Random, known: number): Step {
  const start: Query = random.pick([
    ...starts.filter(({ resourceVersion }) => resourceVersion === undefined || resourceVersion === "0"),
    { resourceVersion: `<<rv${random.below(known)}>>` },
    { resourceVersion: `<<rv${random.below(known)}>>`, allowWatchBookmarks: "true" },
  ]);
  const query = { watch: "true", ...start, ...random.pick(selections) };
  return watch(withQuery(gears, query), inForm(random.pick(Object.values(forms))));
}

/** Lists of states of before and of now, and what follows their first page. */
function readsOf(random: Random, known: number): Step[] {
  return Array.from({ length: 3 }, (_, index) => {
    const past = `<<rv${random.below(known)}>>`;
    const resourceVersion = random.pick([undefined, "0", "<<last>>", past, past]);
    const matches =
      resourceVersion === undefined
        ? [undefined]
        : resourceVersion === "0"
          ? [undefined, "NotOlderThan"]
          : ["Exact", "Exact", "NotOlderThan", undefined];
    const selection = random.pick(selections);
    const limit = random.pick([undefined, "1", "2"]);
    const form = inForm(random.pick(Object.values(forms)));
    const first = withQuery(gears, {
      resourceVersion,
      resourceVersionMatch: random.pick(matches),
      limit,
      ...selection,
    });
    // Where there is no token the variable stays as it is: both sides refuse it.
    const next = withQuery(gears, { continue: `<<next${index}>>`, limit, ...selection });
    return [get(first, { ...form, save: { [`next${index}`]: "metadata.continue" } }), get(next, form)];
  }).flat();
}

/** Gives those that are what they are, and so many of chance. */
export const feedScenarios = (random: Random, count: number): Scenario[] => [
  ...startScenarios(),
  ...pathScenarios(),
  ...mixedFeeds(random, count),
];
