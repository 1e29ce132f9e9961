/**
 * Several managers of one object, in an order of chance: they apply parts of it, forced and not, take
 * away what they applied, write it otherwise, say who owns what, delete it and begin anew.
 *
 * Which updaters become `ancient-changes` hangs on the second in which they wrote, so a scenario has
 * few of them, or many whose names are in the order in which they write. So does whether an apply is
 * none that is so only after its defaults: Kubernetes compares owners one by one, in the order of their times.
 */
import type { Random } from "../random.ts";
import {
  gear,
  gears,
  get,
  note,
  notes,
  ownGroup,
  patch,
  post,
  put,
  remove,
  type Scenario,
  type Step,
  saveAll,
  withQuery,
} from "../scenario.ts";
import { givenEntries, loomSpecs, loomStatuses, metadatas } from "./loom-values.ts";
import { type Fields, type RealObject, realObjects, type Value } from "./real-objects.ts";
import { goodSpecs } from "./values.ts";

const looms = `/apis/${ownGroup}/v1/namespaces/<<ns>>/looms`;
const loom = (version: string, more: object) => ({ apiVersion: `${ownGroup}/${version}`, kind: "Loom", ...more });

/** An object, and what managers may want of it. */
interface Subject {
  readonly path: string;
  readonly name: string;
  /** Versions beside the path's own. */
  readonly otherVersion?: string;
  readonly hasScale: boolean;
  /**
   * Finds what an apply says that defaults or the decoder then make what it was: such an apply has new times, and
   * is none all the same if its owners stay in their order.
   */
  readonly refilled: RegExp;
  /** A manager's part of the object, of a version. */
  part(random: Random, version?: string): Fields;
  /** What it is created as. */
  whole(random: Random): Fields;
  status(random: Random): Value;
}

const stepsOfOne = 18;
const appliers = ["alice", "bob", "carol", "kubectl"];

/** Gives so many scenarios over our own definitions. */
export function managerScenarios(random: Random, count: number): Scenario[] {
  const subjects = [loomSubject, loomSubject, loomSubject, gearSubject, noteSubject];
  return [
    ...Array.from({ length: count }, () => ({
      family: "managers",
      steps: stepsOf(random.pick(subjects), random),
    })),
    ...givenEntries.flatMap((entries) => givenScenarios(entries)),
    ...emptyScenarios(),
    crowd,
  ];
}

/** Gives a scenario or two for each real object. @param realData where the projects lie. */
export function realManagerScenarios(random: Random, realData: string, each: number): Scenario[] {
  return realObjects(realData).flatMap((real) =>
    Array.from({ length: each }, () => ({ family: "real managers", steps: stepsOf(realSubject(real), random) })),
  );
}

function stepsOf(subject: Subject, random: Random): Step[] {
  const applied = new Map<string, Fields>();
  const steps = [beginning(subject, random)];
  while (steps.length < stepsOfOne)
    steps.push(random.below(20) < 11 ? apply(subject, random, applied) : other(subject, random));
  return [...caughtUp(subject, steps), get(`${subject.path}/${subject.name}`)];
}

/**
 * Lists the object before each patch that may find it gone: kube-apiserver's first attempt at a patch starts from its
 * watch cache, and warns of what it finds there, although it then answers 404. A list waits until the cache is of now.
 */
function caughtUp({ path, name }: Subject, steps: readonly Step[]): Step[] {
  const list = get(withQuery(path, { fieldSelector: `metadata.name=${name}` }));
  const firstRemove = steps.findIndex(({ method }) => method === "DELETE");
  const mayBeGone = (at: number) => firstRemove !== -1 && at > firstRemove;
  return steps.flatMap((step, at) => (step.method === "PATCH" && mayBeGone(at) ? [list, step] : [step]));
}

/** Made by an update or by nothing, as kubectl does, or with entries that it can't have. */
function beginning(subject: Subject, random: Random): Step {
  const { path, name } = subject;
  const whole = subject.whole(random);
  const create = (manager: string | undefined, metadata: object) =>
    post(withQuery(path, { fieldManager: manager }), withMetadata(whole, metadata), { save: saveAll });
  switch (random.below(6)) {
    case 0:
      return get(`${path}/${name}`);
    case 1:
      return create(undefined, {});
    case 2:
    case 3:
      return create("kubectl-client-side-apply", { annotations: lastApplied(whole) });
    case 4:
      return create("carol", { managedFields: random.pick(givenEntries) });
    default:
      return create("alice", {});
  }
}

function apply(subject: Subject, random: Random, intents: Map<string, Fields>): Step {
  const { path, name, otherVersion } = subject;
  const manager = random.pick(appliers);
  const before = intents.get(manager);
  const version = random.oneIn(8) ? otherVersion : undefined;
  const isAgain = before !== undefined && version === undefined;
  const intent =
    isAgain && random.oneIn(6)
      ? before
      : isAgain && random.oneIn(3)
        ? less(before, random)
        : subject.part(random, version);
  const metadata = random.oneIn(5)
    ? random.pick(metadatas)
    : random.oneIn(40)
      ? { managedFields: random.pick(givenEntries) }
      : {};
  const query = {
    fieldManager: random.oneIn(40) ? random.pick([undefined, "", "m".repeat(129), "é\u0007"]) : manager,
    force: random.oneIn(3) ? "true" : undefined,
    dryRun: random.oneIn(8) ? "All" : undefined,
    fieldValidation: random.oneIn(8) ? random.pick(["Strict", "Warn", "Ignore"]) : undefined,
  };
  const to = withQuery(`${versioned(path, version)}/${name}`, query);
  const applied = withMetadata(intent, metadata);
  // One before that was refused or only tried counts for nothing: any earlier one may be what there is.
  const said = `${manager} ${JSON.stringify(intent)}`;
  const isRefilled = intents.has(said) && subject.refilled.test(JSON.stringify(applied));
  if (version === undefined) for (const key of [manager, said]) intents.set(key, intent);
  return patch(to, "apply", applied, { save: saveAll, ...(isRefilled ? { isPerhapsNone: true } : {}) });
}

/** Everything else that writes. Few managers, so that no one becomes ancient. */
function other(subject: Subject, random: Random): Step {
  const { path, name, otherVersion, hasScale } = subject;
  const manager = random.pick(["alice", "bob"]);
  const query = { fieldManager: manager, dryRun: random.oneIn(10) ? "All" : undefined };
  const at = (rest = "", version?: string) => withQuery(`${versioned(path, version)}/${name}${rest}`, query);
  const more = { save: saveAll };
  const metadata = random.oneIn(3) ? random.pick(metadatas) : {};
  const part = subject.part(random);
  switch (random.below(15)) {
    case 0:
    case 1:
      return put(at(), withMetadata(subject.whole(random), { resourceVersion: "<<rv>>", ...metadata }), more);
    case 2: {
      const { apiVersion: _, kind: __, metadata: ___, ...fields } = part;
      return patch(at(), "merge", { ...fields, metadata }, more);
    }
    case 3:
      return patch(at(), "json", operations(part, random), more);
    case 4:
      // What it says of spec is taken back later: it has new times each time.
      return patch(
        at("/status"),
        "apply",
        { ...withMetadata(part, metadata), status: subject.status(random) },
        { ...more, isPerhapsNone: true },
      );
    case 5:
      return patch(at("/status"), "merge", { metadata, status: subject.status(random) }, more);
    case 6:
      return put(
        at("/status"),
        { ...withMetadata(part, { resourceVersion: "<<rv>>", ...metadata }), status: subject.status(random) },
        more,
      );
    case 7:
      // Who owns replicas loses its time, and with that its place among the owners.
      return hasScale
        ? patch(at("/scale"), "merge", { spec: { replicas: random.below(4) } }, { isPerhapsNone: true })
        : get(at());
    case 8: {
      const scale = { apiVersion: "autoscaling/v1", kind: "Scale", metadata: { name, namespace: "<<ns>>" } };
      const body = { ...scale, spec: { replicas: random.below(4) } };
      return hasScale ? put(at("/scale"), body, { isPerhapsNone: true }) : get(at());
    }
    case 9:
      return patch(at(), "merge", { metadata: { managedFields: random.pick(givenEntries) } }, more);
    case 10:
      return put(
        at(),
        withMetadata(subject.whole(random), { resourceVersion: "<<rv>>", managedFields: random.pick(givenEntries) }),
        more,
      );
    case 11:
      // One manager less in the other version: fewer updaters.
      return otherVersion === undefined
        ? get(at())
        : patch(
            withQuery(`${versioned(path, otherVersion)}/${name}`, { fieldManager: "alice" }),
            "merge",
            { metadata },
            more,
          );
    case 12: {
      const headers = { "user-agent": random.pick(["kubectl/v1.36.3 (linux/amd64)", "curl/8.0", "bob"]) };
      return patch(`${path}/${name}`, "merge", { metadata }, { ...more, headers });
    }
    case 13:
      return patch(at(), "merge", { metadata: { annotations: lastApplied(part) } }, more);
    default:
      // In a cluster other scenarios' objects would be listed too.
      return random.oneIn(2) ? remove(`${path}/${name}`) : get(path.includes("/namespaces/") ? path : at());
  }
}

/** Entries in every way that they can come, and what becomes of them when others write. */
function givenScenarios(entries: unknown): Scenario[] {
  const given = { managedFields: entries };
  const spec = { word: "a", tags: ["a", "b"], threads: [{ name: "a", color: "red" }] };
  const at = (manager: string, rest = "") => withQuery(`${looms}/a${rest}`, { fieldManager: manager });
  const object = (metadata: object) => loom("v1", { metadata: { name: "a", ...metadata }, spec });
  const afterwards = [
    get(`${looms}/a`),
    patch(at("alice"), "apply", loom("v1", { metadata: { name: "a" }, spec: { word: "b", tags: ["c"] } })),
    patch(at("bob"), "merge", { spec: { word: "c" } }),
    patch(at("given"), "apply", loom("v1", { metadata: { name: "a" }, spec: { flag: true } })),
    get(`${looms}/a`),
  ];
  const ways: Step[][] = [
    [post(looms, object(given))],
    [post(withQuery(looms, { fieldManager: "alice" }), object({})), patch(at("bob"), "merge", { metadata: given })],
    [
      post(withQuery(looms, { fieldManager: "alice" }), object({}), { save: saveAll }),
      put(at("bob"), object({ ...given, resourceVersion: "<<rv>>" })),
    ],
    [
      post(withQuery(looms, { fieldManager: "alice" }), object({}), { save: saveAll }),
      put(at("bob", "/status"), object({ ...given, resourceVersion: "<<rv>>" })),
    ],
    [patch(at("bob"), "apply", object(given))],
  ];
  return ways.map((way) => ({ family: "managers", steps: [...way, ...afterwards] }));
}

/** What an apply leaves empty in metadata, of each version: whether it was stored shows where the next write is one or none. */
function emptyScenarios(): Scenario[] {
  const nothing = patch(withQuery(`${looms}/a`, { fieldManager: "bob" }), "merge", { metadata: {} });
  const empty: readonly object[] = [{ labels: null }, { labels: {} }, { annotations: {} }, { finalizers: [] }];
  return ["v1", "v2"].flatMap((version) =>
    empty.map((metadata) => ({
      family: "managers",
      steps: [
        post(withQuery(looms, { fieldManager: "bob" }), loom("v1", { metadata: { name: "a" }, spec: { word: "a" } })),
        patch(
          withQuery(`${versioned(looms, version)}/a`, { fieldManager: "alice" }),
          "apply",
          loom(version, { metadata: { name: "a", ...metadata } }),
        ),
        nothing,
        nothing,
        get(`${looms}/a`),
      ],
    })),
  );
}

/** More updaters than are kept apart, of two versions. */
const crowd: Scenario = {
  family: "managers",
  steps: [
    post(looms, loom("v1", { metadata: { name: "a" }, spec: { word: "a" } })),
    ...Array.from({ length: 26 }, (_, index) => {
      const query = { fieldManager: `m${String(index).padStart(2, "0")}` };
      const path = withQuery(`${versioned(looms, index % 5 === 4 ? "v2" : undefined)}/a`, query);
      return patch(path, "merge", { metadata: { labels: { [`l${index}`]: "x" } } });
    }),
  ],
};

const loomSubject: Subject = {
  path: looms,
  name: "a",
  otherVersion: "v2",
  hasScale: true,
  refilled: /null|"rows"|"labels":\{\}|selfLink|managedFields/,
  part: (random, version = "v1") =>
    loom(version, { metadata: { name: "a" }, spec: someOf(loomSpecs, random) }) as Fields,
  whole: (random) => loom("v1", { metadata: { name: "a" }, spec: someOf(loomSpecs, random) }) as Fields,
  status: (random) => random.pick(loomStatuses) as Value,
};

const gearSubject: Subject = {
  path: gears,
  name: "a",
  hasScale: true,
  refilled: /null|"defaults"|"labels":\{\}|selfLink|managedFields/,
  part: (random) => gear("a", { color: random.pick(["red", "blue"]), ...random.pick(goodSpecs) }) as Fields,
  whole: (random) =>
    gear("a", Object.assign({ color: "red" }, random.pick(goodSpecs), random.pick(goodSpecs))) as Fields,
  status: (random) => random.pick<Value>([{ phase: "Turning" }, { ready: true, replicas: 2 }, {}, { selector: "a=b" }]),
};

const noteSubject: Subject = {
  path: notes,
  name: "a",
  hasScale: false,
  refilled: /null|"labels":\{\}|selfLink|managedFields/,
  part: (random) =>
    note("a", { spec: someOf(loomSpecs, random), data: random.pick([1, "x", [1], { a: {} }]) }) as Fields,
  whole: (random) => note("a", { spec: someOf(loomSpecs, random) }) as Fields,
  status: (random) => random.pick(loomStatuses) as Value,
};

function realSubject({ object, name, path }: RealObject): Subject {
  const base: Fields = { ...object, metadata: { ...(object["metadata"] as Fields), name } };
  const part = (random: Random) => ({ ...base, spec: changed(base["spec"] ?? {}, random) });
  return {
    path,
    name,
    hasScale: false,
    // Their schemas have many defaults in lists that are replaced as a whole.
    refilled: /./,
    part: (random) => ({ ...part(random), spec: less(part(random)["spec"] as Fields, random) }),
    whole: (random) => (random.oneIn(2) ? base : part(random)),
    status: (random) => random.pick<Value>([{ replicas: 1 }, { conditions: [] }, {}]),
  };
}

/** Some of the fields, each with one of its values; one that no schema knows hides what is wrong with others, or doesn't, by chance. */
function someOf(choices: Readonly<Record<string, readonly unknown[]>>, random: Random): Fields {
  const names = Object.keys(choices);
  if (random.oneIn(40)) return { unknown: 1 };
  const chosen = Array.from({ length: 1 + random.below(5) }, () => random.pick(names));
  return Object.fromEntries(chosen.map((name) => [name, random.pick(choices[name] ?? []) as Value]));
}

/** A copy without some of its fields and items, down to its root's. */
function less<T extends Value>(value: T, random: Random): T {
  if (Array.isArray(value))
    return value
      .filter(() => !random.oneIn(4))
      .map((item) => (random.oneIn(3) ? less(item, random) : item)) as Value as T;
  if (typeof value !== "object" || value === null) return value;
  const isKept = (key: string) => ["apiVersion", "kind", "metadata", "name", "spec"].includes(key) || !random.oneIn(4);
  const kept = Object.entries(value).filter(([key]) => isKept(key));
  return Object.fromEntries(kept.map(([key, inner]) => [key, key === "metadata" ? inner : less(inner, random)])) as T;
}

/** A copy with some words and numbers replaced by others that may pass for them. */
function changed(value: Value, random: Random): Value {
  if (Array.isArray(value)) return value.map((item) => changed(item, random));
  if (typeof value === "object" && value !== null)
    return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, changed(inner, random)]));
  if (!random.oneIn(5)) return value;
  if (typeof value === "string") return `${value}x`;
  return typeof value === "number" ? value + 1 : value;
}

function operations(part: Fields, random: Random): object[] {
  const spec = Object.entries((part["spec"] ?? {}) as Fields);
  return spec.map(([key, value]) =>
    random.oneIn(6) ? { op: "remove", path: `/spec/${key}` } : { op: "add", path: `/spec/${key}`, value },
  );
}

function withMetadata(object: Fields, metadata: object): Fields {
  return { ...object, metadata: { ...(object["metadata"] as Fields), ...metadata } };
}

function lastApplied(object: Fields): Record<string, string> {
  return { "kubectl.kubernetes.io/last-applied-configuration": `${JSON.stringify(object)}\n` };
}

function versioned(path: string, version: string | undefined): string {
  return version === undefined ? path : path.replace(/^(\/apis\/[^/]+\/)[^/]+/, `$1${version}`);
}
