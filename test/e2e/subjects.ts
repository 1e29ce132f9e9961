/** What the kubectl tests are about: a kind, an object of it as a user writes it, and what to change in it. */

/** A kind and its example. */
export interface Subject {
  readonly kind: string;
  readonly singular: string;
  readonly plural: string;
  readonly group: string;
  /** The version that is preferred. */
  readonly version: string;
  /** As `api-versions` lists the group. */
  readonly versions: readonly string[];
  /** The text of a file: metadata with the name and the labels given, and a spec. */
  readonly manifest: (name: string, labels?: Readonly<Record<string, string>>) => string;
  /** A field of the spec with a text value; the text stands nowhere else in the object. */
  readonly field: {
    readonly pointer: string;
    readonly jsonPath: string;
    readonly before: string;
    readonly after: string;
    /** As a JSON merge patch. */
    readonly merge: (value: string) => object;
  };
  readonly explain: readonly { readonly path: string; readonly flags: readonly string[]; readonly says: RegExp[] }[];
  /** Column titles, all and without those of `-o wide`. */
  readonly columns: readonly string[];
  readonly wideColumns: readonly string[];
  readonly status: {
    readonly merge: object;
    readonly jsonPath: string;
    readonly value: string;
  };
  /** Where the scale's replicas are, or undefined: it has none. */
  readonly replicas: string | undefined;
}

/** No empty map of labels: the server drops it, and apply would put it there again and again. */
function metadata(name: string, labels: Readonly<Record<string, string>> = {}): string {
  const more = Object.keys(labels).length === 0 ? "" : `  labels: ${JSON.stringify(labels)}\n`;
  return `metadata:\n  name: ${name}\n${more}`;
}

/** Of the definitions in stores/sql/examples. */
export const widget: Subject = {
  kind: "Widget",
  singular: "widget",
  plural: "widgets",
  group: "example.annex.dev",
  version: "v1",
  versions: ["v1", "v1beta1"],
  manifest: (name, labels) =>
    `apiVersion: example.annex.dev/v1\nkind: Widget\n${metadata(name, labels)}spec:\n  color: red\n  parts: [{name: leg, count: 4}]\n`,
  field: {
    pointer: "/spec/color",
    jsonPath: "{.spec.color}",
    before: "red",
    after: "blue",
    merge: (color) => ({ spec: { color } }),
  },
  explain: [
    {
      path: "widget.spec",
      flags: ["--recursive"],
      says: [/^ {2}parts\t<\[\]Object>$/m, /^ {4}name\t<string> -required-$/m],
    },
    { path: "widget.spec.color", flags: [], says: [/^FIELD: color <string>$/m, /^ {4}What it looks like\.$/m] },
    { path: "widget", flags: ["--api-version=example.annex.dev/v1beta1"], says: [/^VERSION: {4}v1beta1$/m] },
  ],
  columns: ["NAME", "COLOR", "REPLICAS", "AGE"],
  wideColumns: ["NAME", "COLOR", "REPLICAS", "SIZE", "AGE"],
  status: { merge: { status: { phase: "Ready" } }, jsonPath: "{.status.phase}", value: "Ready" },
  replicas: "{.spec.replicas}",
};

/**
 * Of Gateway API. Lists stand with all that the schema would fill in: kubectl replaces whole lists, so
 * with less a second apply isn't `unchanged`, wherever it runs.
 */
export const httpRoute: Subject = {
  kind: "HTTPRoute",
  singular: "httproute",
  plural: "httproutes",
  group: "gateway.networking.k8s.io",
  version: "v1",
  versions: ["v1", "v1beta1"],
  manifest: (name, labels) =>
    `apiVersion: gateway.networking.k8s.io/v1\nkind: HTTPRoute\n${metadata(name, labels)}spec:
  parentRefs: [{group: gateway.networking.k8s.io, kind: Gateway, name: gate}]
  hostnames: [before.example.com]
  rules:
    - matches: [{path: {type: PathPrefix, value: /}}]
      backendRefs: [{group: "", kind: Service, name: shop, port: 8080, weight: 1}]
`,
  field: {
    pointer: "/spec/hostnames/0",
    jsonPath: "{.spec.hostnames[0]}",
    before: "before.example.com",
    after: "after.example.com",
    merge: (hostname) => ({ spec: { hostnames: [hostname] } }),
  },
  explain: [
    {
      path: "httproute.spec.rules",
      flags: ["--recursive"],
      says: [
        /^FIELD: rules <\[\]Object>$/m,
        /^ {2}backendRefs\t<\[\]Object>$/m,
        /^ {6}requestHeaderModifier\t<Object>$/m,
      ],
    },
  ],
  columns: ["NAME", "HOSTNAMES", "AGE"],
  wideColumns: ["NAME", "HOSTNAMES", "AGE"],
  status: {
    merge: {
      status: {
        parents: [
          {
            controllerName: "example.com/controller",
            parentRef: { name: "gate" },
            conditions: [
              {
                type: "Accepted",
                status: "True",
                reason: "Accepted",
                message: "",
                lastTransitionTime: "2026-01-02T03:04:05Z",
              },
            ],
          },
        ],
      },
    },
    jsonPath: "{.status.parents[0].conditions[?(@.type=='Accepted')].status}",
    value: "True",
  },
  replicas: undefined,
};

/** Of the Prometheus operator. */
export const prometheus: Subject = {
  kind: "Prometheus",
  singular: "prometheus",
  plural: "prometheuses",
  group: "monitoring.coreos.com",
  version: "v1",
  versions: ["v1", "v1alpha1"],
  manifest: (name, labels) =>
    `apiVersion: monitoring.coreos.com/v1\nkind: Prometheus\n${metadata(name, labels)}spec:
  version: v2.51.0
  replicas: 2
  serviceMonitorSelector:
    matchExpressions:
      - {key: app, operator: In, values: [node-exporter, example-app]}
`,
  field: {
    pointer: "/spec/version",
    jsonPath: "{.spec.version}",
    before: "v2.51.0",
    after: "v2.52.0",
    merge: (version) => ({ spec: { version } }),
  },
  explain: [
    {
      path: "prometheus.spec",
      flags: [],
      says: [/^FIELD: spec <Object>$/m, /^ {2}serviceMonitorSelector\t<Object>$/m],
    },
  ],
  columns: ["NAME", "VERSION", "DESIRED", "READY", "RECONCILED", "AVAILABLE", "AGE"],
  wideColumns: ["NAME", "VERSION", "DESIRED", "READY", "RECONCILED", "AVAILABLE", "AGE", "PAUSED"],
  status: {
    merge: {
      status: { paused: false, replicas: 2, updatedReplicas: 2, availableReplicas: 2, unavailableReplicas: 0 },
    },
    jsonPath: "{.status.availableReplicas}",
    value: "2",
  },
  replicas: "{.spec.shards}",
};
