/**
 * What is promised of each resource's definition: complete, consistent, and fit for Kubernetes'
 * clients. The lint is the gateway's own: what passes here is served there.
 */
import { Code } from "@connectrpc/connect";
import { isJsonObject, parseJson } from "../../../gateway/apimachinery/json.ts";
import { definitionFrom } from "../../../gateway/registry/definition.ts";
import { compileSchema } from "../../../gateway/schema/schema.ts";
import { Capability, type Resource, Scope, SubresourceKind, Verb } from "../../../gen/annex/store/v1/catalog_pb.js";
import { codeOf } from "../kit.ts";
import { Broken, hold, promisesOf } from "../promise.ts";

const describe = promisesOf("describe");

/** Declares a promise about each resource by itself. */
function eachResource(name: string, text: string, check: (resource: Resource, all: readonly Resource[]) => void) {
  return describe(name, text, {}, async (kit) => {
    const { resources } = kit.parts.description;
    for (const resource of resources) {
      try {
        check(resource, resources);
      } catch (error) {
        throw new Broken(`${resource.plural}.${resource.group}: ${(error as Error).message}`, []);
      }
    }
  });
}

const columnTypes = ["integer", "number", "string", "boolean", "date"];
/** Which capability needs which verb, at least one of them. */
const capabilityVerbs: Readonly<Partial<Record<keyof typeof Capability, readonly Verb[]>>> = {
  RESUME: [Verb.WATCH],
  PROGRESS: [Verb.WATCH],
  PREVIOUS_OBJECT: [Verb.WATCH],
  INITIAL_STATE: [Verb.WATCH],
  SNAPSHOT_LIST: [Verb.LIST],
  EXACT_READ: [Verb.GET, Verb.LIST],
  DRY_RUN: [Verb.CREATE, Verb.UPDATE, Verb.DELETE],
  IDEMPOTENT_WRITES: [Verb.CREATE, Verb.UPDATE, Verb.DELETE],
  UNCONDITIONAL_UPDATE: [Verb.UPDATE, Verb.DELETE],
  NATIVE_DELETE_COLLECTION: [Verb.DELETECOLLECTION],
};

export const definitionPromises = [
  describe(
    "definition.unique",
    "No two resources have the same group and plural, or the same group and kind.",
    {},
    async (kit) => {
      const seen = new Set<string>();
      for (const { group, plural, kind } of kit.parts.description.resources) {
        for (const name of [`plural ${plural}.${group}`, `kind ${kind}.${group}`]) {
          if (seen.has(name)) throw new Broken(`two resources have the ${name}`, []);
          seen.add(name);
        }
      }
    },
  ),
  eachResource(
    "definition.served",
    "Every resource is one that a gateway serves: names, scope, versions and verbs fit together.",
    (resource) => {
      definitionFrom(resource);
    },
  ),
  eachResource("definition.scope", "Every resource says where its objects live.", ({ scope }) => {
    hold(scope === Scope.NAMESPACED || scope === Scope.CLUSTER, "scope is not set");
  }),
  eachResource(
    "definition.versions",
    "Versions have names of their own, at least one is served, and the storage version is one of them.",
    ({ versions, storageVersion }) => {
      const names = versions.map((version) => version.name);
      hold(new Set(names).size === names.length, `versions ${names.join(", ")} repeat a name`);
      hold(
        versions.some((version) => version.served),
        "no version is served",
      );
      hold(names.includes(storageVersion), `the storage version "${storageVersion}" is none of ${names.join(", ")}`);
    },
  ),
  eachResource("definition.verbs", "Verbs are set, none is there twice, and none is unspecified.", ({ verbs }) => {
    hold(verbs.length > 0, "there are no verbs");
    hold(new Set(verbs).size === verbs.length, "a verb is there twice");
    hold(!verbs.includes(Verb.UNSPECIFIED), "a verb is unspecified");
  }),
  eachResource(
    "definition.short-names",
    "Short names and categories are lower-case words, and no short name is another resource's name.",
    (resource, all) => {
      for (const word of [...resource.shortNames, ...resource.categories])
        hold(/^[a-z][a-z0-9-]*$/.test(word), `"${word}" is no lower-case word`);
      const taken = all.find(
        (other) =>
          other !== resource && resource.shortNames.some((word) => word === other.plural || word === other.singular),
      );
      hold(taken === undefined, `a short name is the name of ${taken?.plural}`);
    },
  ),
  eachResource(
    "definition.capabilities",
    "No capability is declared without a verb that it is about, none twice, none unspecified.",
    ({ capabilities, verbs }) => {
      hold(new Set(capabilities).size === capabilities.length, "a capability is there twice");
      hold(!capabilities.includes(Capability.UNSPECIFIED), "a capability is unspecified");
      for (const capability of capabilities) {
        const needed = capabilityVerbs[Capability[capability] as keyof typeof Capability];
        hold(
          needed === undefined || needed.some((verb) => verbs.includes(verb)),
          `${Capability[capability]} is declared without a verb that it is about`,
        );
      }
    },
  ),
  eachResource(
    "definition.native-delete",
    "Native delete-collection is for stores that own the objects' life.",
    ({ capabilities, lifecycle }) => {
      hold(
        !capabilities.includes(Capability.NATIVE_DELETE_COLLECTION) || lifecycle === 2,
        "it is declared with a life that the gateway owns",
      );
    },
  ),
  eachResource(
    "definition.resume-window",
    "A resume window stands with the capability to resume, and with nothing else.",
    ({ resumeWindow, capabilities }) => {
      hold(
        resumeWindow === undefined || capabilities.includes(Capability.RESUME),
        "there is a window, and RESUME isn't declared",
      );
    },
  ),
  eachResource(
    "definition.polled-watch",
    "A polled watch is asked for only where there is no watch, and where there are lists; not too often.",
    ({ polledWatchIntervalMs, verbs }) => {
      hold(
        polledWatchIntervalMs === 0 || (!verbs.includes(Verb.WATCH) && verbs.includes(Verb.LIST)),
        "polled_watch_interval_ms is set beside watch, or without list",
      );
      hold(
        polledWatchIntervalMs === 0 || polledWatchIntervalMs >= 100,
        `polled_watch_interval_ms is ${polledWatchIntervalMs}, and at least 100 is taken`,
      );
    },
  ),
  describe("definition.sizes", "The largest object fits into the largest message.", {}, async (kit) => {
    const message = Number(kit.parts.description.maxMessageBytes) || 4 * 1024 * 1024;
    for (const { label, maxObjectBytes } of kit.parts.subjects) {
      if (maxObjectBytes >= message)
        throw new Broken(`${label}: objects of ${maxObjectBytes} bytes don't fit into messages of ${message}`, []);
    }
  }),
  eachResource(
    "definition.schema",
    "Every schema is a JSON object, and a structural one, as kube-apiserver means it.",
    ({ versions }) => {
      for (const { name, schemaJson } of versions) {
        if (schemaJson.length === 0) continue;
        const schema = parseJson(schemaJson);
        hold(isJsonObject(schema), `the schema of ${name} is no object`);
        const compiled = compileSchema(schema);
        if ("faults" in compiled) {
          const [first] = compiled.faults;
          throw new Broken(`the schema of ${name}: ${JSON.stringify(first)}`, []);
        }
      }
    },
  ),
  eachResource(
    "definition.columns",
    "Printer columns have a name, one of the types, and a path with a leading dot.",
    ({ versions }) => {
      for (const { name, columns } of versions) {
        for (const column of columns) {
          hold(column.name !== "", `a column of ${name} has no name`);
          hold(columnTypes.includes(column.type), `the column ${column.name} of ${name} has the type "${column.type}"`);
          hold(
            /^\.|^\{?\[/.test(column.jsonPath),
            `the column ${column.name} of ${name} has the path "${column.jsonPath}"`,
          );
        }
      }
    },
  ),
  eachResource("definition.scale", "The paths of a scale lie under .spec and .status.", ({ versions }) => {
    for (const { name, scale } of versions) {
      if (scale === undefined) continue;
      hold(scale.specReplicasPath.startsWith(".spec."), `spec_replicas_path of ${name} is "${scale.specReplicasPath}"`);
      hold(
        scale.statusReplicasPath.startsWith(".status."),
        `status_replicas_path of ${name} is "${scale.statusReplicasPath}"`,
      );
    }
  }),
  eachResource(
    "definition.fields",
    "Selectable fields are paths with a leading dot, each there once.",
    ({ versions }) => {
      for (const { name, selectableFields } of versions) {
        const odd = selectableFields.find((path) => !/^(\.[A-Za-z_][\w-]*)+$/.test(path));
        hold(odd === undefined, `the selectable field "${odd}" of ${name} is no path`);
        hold(
          new Set(selectableFields).size === selectableFields.length,
          `a selectable field of ${name} is there twice`,
        );
      }
    },
  ),
  eachResource(
    "definition.subresources",
    "A custom subresource has a name of its own, a kind and methods; status and scale stand in the version.",
    ({ subresources }) => {
      const names = subresources.map((one) => one.name);
      hold(new Set(names).size === names.length, "a subresource is there twice");
      for (const { name, kind, httpMethods } of subresources) {
        hold(
          /^[a-z][a-z0-9-]*$/.test(name) && name !== "status" && name !== "scale",
          `"${name}" is no name of a custom subresource`,
        );
        hold(kind !== SubresourceKind.UNSPECIFIED, `the subresource ${name} has no kind`);
        hold(
          httpMethods.length > 0 && httpMethods.every((method) => /^[A-Z]+$/.test(method)),
          `the subresource ${name} has the methods "${httpMethods.join()}"`,
        );
      }
    },
  ),
  eachResource(
    "definition.owner-scope",
    "An owner scope names a path with a leading dot, and what of the user stands there.",
    ({ ownerScope }) => {
      if (ownerScope === undefined) return;
      hold(ownerScope.fieldPath.startsWith("."), `the path is "${ownerScope.fieldPath}"`);
      hold(ownerScope.match !== 0, "match is not set");
    },
  ),
  eachResource("definition.call-limits", "Limits of calls are for Kubernetes' verbs, and above 0.", ({ maxCallMs }) => {
    const words = Object.keys(Verb).map((word) => word.toLowerCase());
    for (const [verb, ms] of Object.entries(maxCallMs))
      hold(words.includes(verb) && ms > 0, `max_call_ms has ${verb}: ${ms}`);
  }),
  describe(
    "definition.calls-answered",
    "Every verb that is declared is offered: no call of it is UNIMPLEMENTED.",
    {},
    async (kit) => {
      for (const subject of kit.parts.subjects) {
        const request = { context: kit.context(), resource: subject.ref };
        const key = kit.key(undefined, subject);
        const preconditions = { revision: 1n };
        const tries: [string, () => Promise<unknown>][] = [];
        if (subject.can("get")) tries.push(["get", () => kit.store.get({ ...request, key })]);
        if (subject.can("list")) tries.push(["list", () => kit.list({ about: subject, limit: 1 })]);
        if (subject.can("watch"))
          tries.push(
            ["watch", () => kit.watch({ about: subject }).started()],
            ["CurrentRevision", () => kit.head(subject)],
          );
        if (subject.can("update"))
          tries.push([
            "update",
            () =>
              kit.store.update({
                ...request,
                object: { key, uid: "u", json: kit.json(key, 1, subject) },
                preconditions,
              }),
          ]);
        if (subject.can("delete")) tries.push(["delete", () => kit.store.delete({ ...request, key, preconditions })]);
        for (const [verb, call] of tries) {
          if ((await codeOf(call())) === Code.Unimplemented)
            throw new Broken(`${verb} of ${subject.label} is declared and UNIMPLEMENTED`);
        }
      }
    },
  ),
];
