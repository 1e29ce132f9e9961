/**
 * Gets and lists: each revision with each match, limits and continues, selectors, across namespaces.
 */
import type { Scenario, Step } from "../scenario.ts";
import {
  allGears,
  combinations,
  gear,
  gears,
  get,
  plate,
  plates,
  post,
  remove,
  saveAll,
  withQuery,
} from "../scenario.ts";

const three: readonly Step[] = [
  post(gears, gear("a", { color: "red", count: 1 }, {}, { labels: { scenario: "<<id>>", n: "1", tier: "low" } }), {
    save: saveAll,
  }),
  post(
    gears,
    gear("b", { color: "blue", count: 2, flag: true }, {}, { labels: { scenario: "<<id>>", n: "2", tier: "high" } }),
  ),
  post(gears, gear("c", { color: "red", count: 2, flag: false }, {}, { labels: { scenario: "<<id>>", n: "3" } })),
];
/** Waits for the caches on both sides, then remembers a revision that covers all three. */
const now = get(gears, { save: { now: "metadata.resourceVersion" } });

const revisions = [undefined, "", "0", "<<rv>>", "<<now>>", "99999999", "abc", "-1", "1.5", "1"];
const matches = [undefined, "", "NotOlderThan", "Exact", "Other"];

/** Each combination of reference 3.4. */
function revisionScenarios(): Scenario[] {
  return combinations<string | undefined>({
    resourceVersion: revisions.filter((revision) => revision !== "1"),
    resourceVersionMatch: matches,
    limit: [undefined, "0", "2", "-1", "abc"],
  }).map((query) => ({
    family: "list",
    steps: [...three, now, get(withQuery(gears, query)), get(withQuery(gears, { ...query, limit: "1" }))],
  }));
}

function getScenarios(): Scenario[] {
  const steps = revisions
    .filter((revision) => revision !== "1")
    .flatMap((resourceVersion) =>
      ["a", "missing"].map((name) => get(withQuery(`${gears}/${name}`, { resourceVersion }))),
    );
  const more = ["export=true", "pretty=true", "pretty=1", "pretty=no", "pretty=", "watch=true", "unknown=1"].map(
    (query) => get(`${gears}/a?${query}`),
  );
  return [...steps, ...more].map((step) => ({ family: "get", steps: [...three, now, step] }));
}

function continueScenarios(): Scenario[] {
  const page = (query: Record<string, string | undefined>) =>
    get(withQuery(gears, query), { save: { next: "metadata.continue", page: "metadata.resourceVersion" } });
  const first = [...three, page({ limit: "1" })];
  const token = (value: object) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const bad = [
    "abc",
    "!!!",
    "e30",
    token({ v: "meta.k8s.io/v2", rv: 5, start: "a" }),
    token({ v: "meta.k8s.io/v1", rv: 0, start: "a" }),
    token({ v: "meta.k8s.io/v1", rv: 5, start: "" }),
    token({ v: "meta.k8s.io/v1", rv: 5, start: "../b" }),
    token({ v: "meta.k8s.io/v1", rv: -1, start: "a\u0000" }),
    token({ v: "meta.k8s.io/v1", rv: "5", start: "a" }),
    token([]),
  ];
  const follow = combinations<string | undefined>({
    limit: [undefined, "1", "2", "0"],
    resourceVersion: [undefined, "0", "<<page>>"],
    resourceVersionMatch: [undefined, "NotOlderThan", "Exact"],
  });
  return [
    ...follow.map((query) => ({
      family: "continue",
      steps: [...first, get(withQuery(gears, { ...query, continue: "<<next>>" }))],
    })),
    ...bad.map((value) => ({
      family: "continue",
      steps: [
        ...first,
        get(withQuery(gears, { limit: "1", continue: value })),
        get(withQuery(gears, { continue: value })),
      ],
    })),
    {
      family: "continue",
      steps: [
        ...first,
        remove(`${gears}/b`),
        post(gears, gear("d")),
        page({ limit: "1", continue: "<<next>>" }),
        page({ limit: "1", continue: "<<next>>" }),
        get(gears),
      ],
    },
    {
      family: "continue",
      steps: [
        ...three,
        page({ limit: "1", labelSelector: "scenario=<<id>>" }),
        page({ limit: "1", continue: "<<next>>", labelSelector: "scenario=<<id>>" }),
        page({ limit: "1", continue: "<<next>>", labelSelector: "n=3" }),
      ],
    },
  ];
}

const labelSelectors = [
  "n=1",
  "n==1",
  "n!=1",
  "n",
  "!n",
  "n in (1,2)",
  "n notin (1,2)",
  "n in ()",
  "n notin ( 1 , 3 )",
  "n>1",
  "n<2",
  "n>a",
  "n=1,tier",
  "n=1,,tier",
  ",",
  "n=",
  "n=1=2",
  "n in",
  "n in (1",
  "n in 1",
  "tier in (low,high),n!=2",
  "tier!=low",
  "a b",
  "-n=1",
  "n=-1",
  "n=a b",
  "x/y=1",
  "x/y/z=1",
  "UPPER.example.com/n",
  "a".repeat(64),
  `n=${"a".repeat(64)}`,
  "!",
  "!n,n",
  "n=1;",
  "n~1",
  "( n )",
  "n in (1,2),tier notin (low)",
  "n gt 1",
  "n lt 3",
  "notin in (in)",
  "n>=1",
];
const fieldSelectors = [
  "metadata.name=a",
  "metadata.name==a",
  "metadata.name!=a",
  "metadata.namespace=<<ns>>",
  "metadata.namespace=other",
  "spec.color=red",
  "spec.color!=red",
  "spec.count=2",
  "spec.flag=true",
  "spec.flag=",
  "spec.flag=false",
  "spec.count=",
  "spec.word=a",
  "status.phase=x",
  "metadata.uid=1",
  "metadata.name",
  "metadata.name=",
  "=a",
  "a=b=c",
  "spec.color=red,spec.count=2",
  "spec.color=red,",
  ",",
  "spec.color=\\,",
  "spec.color=a\\=b",
  "spec.color=\\x",
  "metadata.name=a,metadata.name=b",
  "metadata.name=a/b",
  "metadata.name=..",
  "metadata.name in (a)",
  "!metadata.name",
  "kind=Gear",
  "spec.color=red,metadata.name=a",
];

function selectorScenarios(): Scenario[] {
  const label = labelSelectors.map((labelSelector) => ({
    family: "selector",
    steps: [...three, get(withQuery(gears, { labelSelector })), get(withQuery(gears, { labelSelector, limit: "1" }))],
  }));
  const field = fieldSelectors.map((fieldSelector) => ({
    family: "selector",
    steps: [
      ...three,
      get(withQuery(gears, { fieldSelector })),
      get(withQuery(gears, { fieldSelector, limit: "1" })),
      get(withQuery(gears, { fieldSelector, labelSelector: "n!=1" })),
      get(withQuery(allGears, { fieldSelector, labelSelector: "scenario=<<id>>" })),
    ],
  }));
  const across = {
    family: "selector",
    steps: [
      post(plates, plate("a")),
      post(plates, plate("b", { spec: { weight: 3 } })),
      get(withQuery(plates, { labelSelector: "scenario=<<id>>" })),
      get(withQuery(plates, { fieldSelector: "metadata.name=<<id>>-b" })),
      get(withQuery(plates, { fieldSelector: "metadata.namespace=x" })),
      get(withQuery(plates, { fieldSelector: "spec.weight=3" })),
      get(withQuery(plates, { labelSelector: "scenario=<<id>>", limit: "1" })),
    ],
  };
  return [...label, ...field, across];
}

export const listScenarios = (): Scenario[] => [
  ...revisionScenarios(),
  ...getScenarios(),
  ...continueScenarios(),
  ...selectorScenarios(),
];
