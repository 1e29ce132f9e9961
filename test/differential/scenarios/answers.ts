/**
 * Forms of answers, documents about what is served, paths and methods that nothing is behind, users
 * without rights.
 */
import type { Scenario, Step } from "../scenario.ts";
import {
  gear,
  gears,
  get,
  note,
  notes,
  oldGears,
  patch,
  plate,
  plates,
  post,
  put,
  remove,
  saveAll,
} from "../scenario.ts";

const table = "application/json;as=Table;v=v1;g=meta.k8s.io";
const partial = "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io";
const partials = "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io";

const accepts = [
  "",
  "*/*",
  "application/*",
  "application/json",
  "application/yaml",
  "text/html",
  "application/xml, application/yaml",
  "application/json;q=0.1, application/yaml",
  "application/yaml;q=0.1, application/json;q=0.2",
  "application/vnd.kubernetes.protobuf, application/json",
  "application/vnd.kubernetes.protobuf",
  "application/json;pretty=1",
  "application/json; charset=utf-8",
  "application/json;sv=v1",
  "application/json;sv=v2",
  "application/json;stream=watch",
  "json",
  "a/b/c",
  ";",
  "application/json;q=x",
  "*/*;q=0",
  "application/cbor",
  "APPLICATION/JSON",
  "application/json;export=1",
  "application/json;profile=x",
  "image/*",
  "*",
  table,
  `${table}, application/json`,
  table.replace("v1;", "v1beta1;"),
  table.replace("v=v1;", "v=v2;"),
  `${table.replace("v=v1;", "v=v2;")},application/json`,
  "application/json;as=Table;g=meta.k8s.io;v=v1",
  "application/yaml;as=Table;v=v1;g=meta.k8s.io",
  "application/json;as=Table",
  "application/json;as=table;v=v1;g=meta.k8s.io",
  "application/json;as=Other;v=v1;g=meta.k8s.io",
  "application/json;as=Table;v=v1;g=other",
  `${table};includeObject=Object`,
  partial,
  `${partial}, application/json`,
  "application/yaml;as=PartialObjectMetadata;v=v1;g=meta.k8s.io",
  partial.replace("v=v1;", "v=v1beta1;"),
  partials,
  `${partials}, application/json`,
  "application/yaml;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io",
  partials.replace("v=v1;", "v=v1beta1;"),
  `${partials}, ${partial}`,
  `text/html, ${table}`,
];

const objects: readonly Step[] = [
  post(
    gears,
    gear(
      "a",
      {
        color: "red",
        count: 5,
        ratio: 1.5,
        flag: true,
        formats: { dateTime: "2020-01-01T00:00:00Z" },
        parts: [{ name: "first" }, { name: "second", port: 1 }],
        free: { k: [1, { x: "y" }] },
        word: "words",
      },
      {},
      { labels: { a: "b" }, annotations: { c: "d" } },
    ),
    { save: saveAll },
  ),
  post(gears, gear("b", { color: "blue", ratio: 100000000, free: {} })),
  post(
    gears,
    gear("c", { color: "green", formats: { dateTime: "1999-12-31T23:59:59Z" }, word: "12".replace(/\d/g, "x") }),
  ),
];

function acceptScenarios(): Scenario[] {
  return accepts.map((accept) => {
    const headers = { accept };
    return {
      family: "accept",
      steps: [
        ...objects,
        get(gears, { headers }),
        get(`${gears}/a`, { headers }),
        get(`${gears}/missing`, { headers }),
        get(`${gears}/a/status`, { headers }),
        get(`${gears}/a/scale`, { headers }),
        post(`${gears}?dryRun=All`, gear("d"), { headers }),
        post(gears, gear("d", { color: "pink" }), { headers }),
        put(`${gears}/a`, gear("a"), { headers }),
        patch(`${gears}/a`, "merge", { metadata: { labels: { x: "y" } } }, { headers }),
        get(`${gears}?limit=1`, { headers }),
        get(`${gears}?labelSelector=none`, { headers }),
        get(notes, { headers }),
        get(`${plates}?labelSelector=scenario%3D<<id>>`, { headers }),
        remove(`${gears}/b`, undefined, { headers }),
        get(`${gears}?pretty=true`, { headers }),
        get(gears, { headers: { ...headers, "user-agent": "curl/8.0" } }),
        get(gears, { headers: { ...headers, "user-agent": "Mozilla/5.0 x" } }),
        get(`${oldGears}/a`, { headers }),
        get("/apis/differential.annex.dev/v1", { headers }),
        get("/apis/differential.annex.dev", { headers }),
        get("/version", { headers }),
        get("/apis/none/v1/x", { headers }),
        get(`${gears}/a/none`, { headers }),
        { method: "TRACE", path: gears, headers },
      ].filter(({ path }) => path !== "/version"),
    };
  });
}

function tableScenarios(): Scenario[] {
  const headers = { accept: table };
  return [
    "",
    "includeObject=None",
    "includeObject=Metadata",
    "includeObject=Object",
    "includeObject=x",
    "includeObject=",
    "pretty=true",
  ].map((query) => ({
    family: "table",
    steps: [
      ...objects,
      get(`${gears}?${query}`, { headers }),
      get(`${gears}/a?${query}`, { headers }),
      get(`${gears}/c?${query}`, { headers }),
      post(notes, note("a", { some: 1 })),
      get(`${notes}?${query}`, { headers }),
      get(`${notes}/a?${query}`, { headers }),
      post(plates, plate("a")),
      get(`${plates}/<<id>>-a?${query}`, { headers }),
      get(`${oldGears}?${query}`, { headers }),
      get(`${oldGears}/b?${query}`, { headers }),
      get(`${gears}?limit=2&${query}`, { headers }),
      patch(
        `${gears}/b?${query}`,
        "merge",
        { spec: { formats: { dateTime: "2999-01-01T00:00:00Z" }, count: -3 } },
        { headers },
      ),
      get(`${gears}/b?${query}`, { headers }),
      get(`${gears}/b/status?${query}`, { headers }),
      get(`${gears}/b/scale?${query}`, { headers }),
    ],
  }));
}

const v2 = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";
const documents: readonly Step[] = [
  ...[
    "",
    "application/json",
    "application/yaml",
    v2,
    `${v2},application/json`,
    "application/json;as=APIGroupDiscoveryList;v=v2;g=apidiscovery.k8s.io",
    "application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList",
    "application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList,application/json",
    `application/json,${v2}`,
    "text/html",
    "*/*",
    "application/yaml;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList",
    `${v2};profile=nopeer`,
  ].flatMap((accept): Step[] => {
    const headers = accept === "" ? {} : { accept };
    return [
      get("/apis", { headers, about: "our groups" }),
      get("/apis/", { headers, about: "our groups" }),
      get("/apis/differential.annex.dev", { headers }),
      get("/apis/differential.annex.dev/", { headers }),
      get("/apis/differential.annex.dev/v1", { headers }),
      get("/apis/differential.annex.dev/v1/", { headers }),
      get("/apis/differential.annex.dev/v1beta1", { headers }),
      get("/apis/differential.annex.dev/v1alpha1", { headers }),
      get("/apis/differential.annex.dev/v1beta2", { headers }),
      get("/apis/differential.annex.dev/v9", { headers }),
      get("/apis/none", { headers }),
    ];
  }),
  get("/openapi/v3/none"),
  get("/openapi/v3/"),
  get("/openapi/none"),
  get("/openapi/v2/x"),
  get("/openapi"),
];
const methods = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND", "LINK"];
const base = "/apis/differential.annex.dev/v1";
const paths = [
  gears,
  `${gears}/`,
  `${gears}/a`,
  `${gears}/a/`,
  `${gears}/a/status`,
  `${gears}/a/scale`,
  `${gears}/a/none`,
  `${gears}/a/status/more`,
  `${gears}/a/scale/more`,
  `${base}/gears/a`,
  `${base}/gears/a/status`,
  `${base}/none`,
  `${base}/namespaces/<<ns>>/none`,
  `${base}/namespaces/<<ns>>/none/a`,
  `${base}/namespaces/<<ns>>`,
  `${base}/namespaces`,
  `${base}/namespaces/<<ns>>/plates`,
  `${base}/namespaces/<<ns>>/plates/a`,
  `${plates}`,
  `${plates}/none`,
  `${plates}/none/status`,
  `${plates}/none/scale`,
  `${base}/GEARS`,
  `${base}/gear`,
  `${base}/gr`,
  `/apis/differential.annex.dev/v9/gears`,
  "/apis/differential.annex.dev/v1alpha1/gears",
  "/apis/none.example.com/v1/x",
  `${base}/watch`,
  `${base}/watch/namespaces/<<ns>>/gears/a/status`,
  `${base}/proxy/gears`,
  `${base}//gears`,
  `//apis/differential.annex.dev/v1/gears`,
  `${gears}/a/../a`,
  `${gears}/%61`,
  `${gears}/a%2Fb`,
  `${gears}/%zz`,
  "/none",
  "/apis/differential.annex.dev",
  base,
  `${base}/gears/a/b/c/d`,
  `${notes}/a/scale`,
];

function routeScenarios(): Scenario[] {
  const headless = (method: string) =>
    method === "OPTIONS" || method === "TRACE" || method === "PROPFIND" || method === "LINK";
  // Below /watch/ every method watches, for as long as it is let.
  const methodsOf = (path: string) => (path.includes("/watch/") ? ["PUT"] : methods);
  const end = (path: string) => (path.includes("/watch/") ? `${path}?timeoutSeconds=1` : path);
  return [
    ...paths.map((path) => ({
      family: "route",
      steps: [
        post(gears, gear("a")),
        ...methodsOf(path).map(
          (method): Step => ({
            method,
            path: end(path),
            ...(["POST", "PUT", "PATCH"].includes(method)
              ? {
                  body: gear("a"),
                  headers: {
                    "content-type": method === "PATCH" ? "application/merge-patch+json" : "application/json",
                  },
                }
              : {}),
          }),
        ),
        ...methodsOf(path)
          .filter((method) => !headless(method))
          .map((method): Step => ({ method, path: `${end(path)}${end(path) === path ? "?" : "&"}dryRun=All` })),
      ],
    })),
    ...documents.map((step) => ({ family: "discovery", steps: [step] })),
    ...["/apis", "/apis/differential.annex.dev", base].flatMap((path) =>
      ["HEAD", "POST", "DELETE", "PUT", "OPTIONS"].map((method) => ({
        family: "discovery",
        steps: [{ method, path }],
      })),
    ),
  ];
}

function userScenarios(): Scenario[] {
  return (["stranger", "liar"] as const).flatMap((as) => [
    {
      family: "user",
      steps: [
        get(gears, { as }),
        get(`${gears}/a`, { as }),
        get(`${gears}/a/status`, { as }),
        get(`${gears}?watch=true`, { as }),
        post(gears, gear("a"), { as }),
        put(`${gears}/a`, gear("a"), { as }),
        patch(`${gears}/a`, "merge", {}, { as }),
        patch(`${gears}/a/scale`, "merge", {}, { as }),
        remove(`${gears}/a`, undefined, { as }),
        remove(gears, undefined, { as }),
        get(plates, { as }),
        get(`${plates}/x`, { as }),
        get("/none", { as }),
        get("/apis/none/v1/x", { as }),
        get("/metrics", { as }),
        post("/apis", undefined, { as }),
        { method: "OPTIONS", path: gears, as },
        { method: "HEAD", path: gears, as },
        get(`${gears}?fieldSelector=metadata.name%3Dx`, { as }),
        get("/apis/differential.annex.dev/v1/watch/gears", { as }),
        get("/apis/differential.annex.dev/v1/gears", { as }),
        get(gears, { as, headers: { accept: "application/yaml" } }),
        get(gears, { as, headers: { accept: "text/html" } }),
        get(gears, { as, headers: { accept: table } }),
        post(gears, "{", { as }),
        get(`${gears}?limit=x`, { as }),
        get(`${gears}/a/none`, { as }),
        get(gears, { as, headers: { "impersonate-user": "x" } }),
      ],
    },
  ]);
}

export const answerScenarios = (): Scenario[] => [
  ...acceptScenarios(),
  ...tableScenarios(),
  ...routeScenarios(),
  ...userScenarios(),
];
