/**
 * CustomResourceDefinition YAML as a store's description: a plain translation.
 *
 * What can't be served as written is a fault that names file, line and field; nothing is guessed.
 * Source: apiextensions.k8s.io/v1 CustomResourceDefinition.
 */
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { type Document, isMap, isNode, LineCounter, parseAllDocuments, type Tags } from "yaml";
import { type Capability, Scope, Verb } from "../../gen/annex/store/v1/catalog_pb.js";
import type { ResourceDescription } from "./store.ts";

/** One fault of one file. */
export interface CrdFault {
  readonly file: string;
  /** 1 for the first line. */
  readonly line: number;
  /** `spec.versions[0].name`; `""` if the fault is about the whole document. */
  readonly field: string;
  readonly message: string;
}

/** Definitions that can't be read. The message has a line for each fault, `file:line: field: message`. */
export class CrdFileError extends Error {
  override readonly name = "CrdFileError";
  readonly faults: readonly CrdFault[];
  constructor(faults: readonly CrdFault[]) {
    super(
      faults
        .map(({ file, line, field, message }) => `${file}:${line}: ${field === "" ? "" : `${field}: `}${message}`)
        .join("\n"),
    );
    this.faults = faults;
  }
}

/** What a store that keeps CustomResources offers for each. keptKind() and imperativeKind() say their own. */
export interface CrdSupport {
  readonly capabilities: readonly Capability[];
  /** How far back a watch can resume. */
  readonly resumeWindow: { readonly minRevisions: bigint; readonly minAgeMs: bigint };
  readonly maxObjectBytes: bigint;
}

const noSupport: CrdSupport = {
  capabilities: [],
  resumeWindow: { minRevisions: 0n, minAgeMs: 0n },
  maxObjectBytes: 0n,
};

const allVerbs = [
  Verb.GET,
  Verb.LIST,
  Verb.WATCH,
  Verb.CREATE,
  Verb.UPDATE,
  Verb.PATCH,
  Verb.DELETE,
  Verb.DELETECOLLECTION,
];

/**
 * Reads definitions from files and folders (`.yaml`, `.yml`, `.json`, not into sub-folders).
 * @throws CrdFileError with every fault of every file.
 */
export function readCrds(paths: readonly string[], support: CrdSupport = noSupport): ResourceDescription[] {
  const faults: CrdFault[] = [];
  const resources: ResourceDescription[] = [];
  const owners = new Map<string, string>();
  for (const file of paths.flatMap((path) => filesOf(path, faults))) {
    for (const reader of readersOf(file, faults)) {
      const resource = resourceFrom(reader, support);
      if (resource === undefined) continue;
      const name = `${resource.plural}.${resource.group}`;
      const owner = owners.get(name);
      if (owner !== undefined) reader.fault(["metadata", "name"], `"${name}" is already defined in ${owner}`);
      owners.set(name, file);
      resources.push(resource);
    }
  }
  if (faults.length > 0) throw new CrdFileError(faults);
  return resources;
}

function filesOf(path: string, faults: CrdFault[]): string[] {
  try {
    if (!statSync(path).isDirectory()) return [path];
    return readdirSync(path)
      .filter((name) => /\.(ya?ml|json)$/.test(name) && !/^kustomization\.ya?ml$/.test(name))
      .sort()
      .map((name) => join(path, name));
  } catch (error) {
    faults.push({ file: path, line: 1, field: "", message: (error as Error).message });
    return [];
  }
}

/** Aliases that one document may expand to: the bound against a bomb of nested aliases. */
const maxAliases = 1_000;

type Path = readonly (string | number)[];

/** One document of a file, read field by field; a field of a wrong type is a fault and reads as missing. */
class Reader {
  readonly file: string;
  readonly #document: Document;
  readonly #lines: LineCounter;
  readonly #value: unknown;
  readonly #faults: CrdFault[];
  #isSound = true;

  constructor(file: string, document: Document, lines: LineCounter, faults: CrdFault[]) {
    this.file = file;
    this.#document = document;
    this.#lines = lines;
    this.#faults = faults;
    this.#value = document.toJS({ maxAliasCount: maxAliases });
  }

  get isSound(): boolean {
    return this.#isSound;
  }

  fault(path: Path, message: string): void {
    this.#isSound = false;
    this.#faults.push({ file: this.file, line: this.#lineOf(path), field: formatPath(path), message });
  }

  at(path: Path): unknown {
    let value = this.#value;
    for (const part of path) {
      if (typeof value !== "object" || value === null) return undefined;
      value = (value as Record<string | number, unknown>)[part];
    }
    return value ?? undefined;
  }

  text(path: Path, options: { required?: boolean } = {}): string {
    const value = this.at(path);
    if (typeof value === "string" && (value !== "" || !options.required)) return value;
    if (value !== undefined && value !== "") this.fault(path, `must be a string, got ${kindOf(value)}`);
    else if (options.required) this.fault(path, "Required value");
    return "";
  }

  flag(path: Path): boolean {
    const value = this.at(path);
    if (value !== undefined && typeof value !== "boolean") this.fault(path, `must be a boolean, got ${kindOf(value)}`);
    return value === true;
  }

  texts(path: Path): string[] {
    return this.list(path).map((_, index) => this.text([...path, index]));
  }

  list(path: Path): unknown[] {
    const value = this.at(path);
    if (value === undefined) return [];
    if (Array.isArray(value)) return value;
    this.fault(path, `must be a list, got ${kindOf(value)}`);
    return [];
  }

  #lineOf(path: Path): number {
    for (let length = path.length; length >= 0; length--) {
      const node = this.#document.getIn(path.slice(0, length), true);
      if (isNode(node) && node.range) return this.#lines.linePos(node.range[0]).line;
    }
    return 1;
  }
}

function readersOf(file: string, faults: CrdFault[]): Reader[] {
  const lines = new LineCounter();
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch (error) {
    faults.push({ file, line: 1, field: "", message: (error as Error).message });
    return [];
  }
  const readers: Reader[] = [];
  for (const document of documentsOf(file, text, lines, faults)) {
    const { contents } = document;
    const line = lines.linePos(contents?.range?.[0] ?? 0).line;
    const broken = document.errors[0];
    if (broken !== undefined) {
      faults.push({ file, line: lines.linePos(broken.pos[0]).line, field: "", message: inWords(broken) });
    } else if (isMap(contents)) {
      try {
        readers.push(new Reader(file, document, lines, faults));
      } catch (error) {
        faults.push({ file, line, field: "", message: inWords(error as Error) });
      }
    } else if (contents !== null && isNode(contents) && document.toJS() !== null) {
      faults.push({ file, line, field: "", message: "is no YAML map" });
    }
  }
  if (readers.length === 0 && !faults.some((fault) => fault.file === file)) {
    faults.push({ file, line: 1, field: "", message: "holds no CustomResourceDefinition" });
  }
  return readers;
}

/** Without the types of YAML that have no place in JSON: their text stays text, their maps stay maps. */
function jsonTags(tags: Tags): Tags {
  return tags.filter((tag) => typeof tag !== "object" || !/:(timestamp|omap|set|pairs|binary)$/.test(tag.tag));
}

/** As Kubernetes reads YAML: version 1.1, in which `yes` is true, and without dates. */
function documentsOf(file: string, text: string, lineCounter: LineCounter, faults: CrdFault[]): readonly Document[] {
  try {
    const documents = parseAllDocuments(text, {
      version: "1.1",
      schema: "yaml-1.1",
      customTags: jsonTags,
      merge: true,
      intAsBigInt: true,
      lineCounter,
      prettyErrors: false,
      logLevel: "silent",
    });
    return Array.isArray(documents) ? documents : [];
  } catch (error) {
    faults.push({ file, line: 1, field: "", message: inWords(error as Error) });
    return [];
  }
}

/** The library recurses over nesting; what is deeper than the stack is no definition. */
function inWords(error: Error): string {
  return error.message.startsWith("Maximum call stack") ? "is nested too deeply" : error.message;
}

function resourceFrom(reader: Reader, support: CrdSupport): ResourceDescription | undefined {
  if (
    reader.text(["kind"]) !== "CustomResourceDefinition" ||
    reader.text(["apiVersion"]) !== "apiextensions.k8s.io/v1"
  ) {
    reader.fault(["kind"], "must be a CustomResourceDefinition of apiextensions.k8s.io/v1");
    return undefined;
  }
  const group = reader.text(["spec", "group"], { required: true });
  const plural = reader.text(["spec", "names", "plural"], { required: true });
  const kind = reader.text(["spec", "names", "kind"], { required: true });
  const name = reader.text(["metadata", "name"], { required: true });
  if (name !== "" && group !== "" && plural !== "" && name !== `${plural}.${group}`) {
    reader.fault(["metadata", "name"], `must be spec.names.plural+"."+spec.group, "${plural}.${group}"`);
  }
  const scope = reader.text(["spec", "scope"], { required: true });
  if (scope !== "" && scope !== "Namespaced" && scope !== "Cluster") {
    reader.fault(["spec", "scope"], `Unsupported value: "${scope}": supported values: "Cluster", "Namespaced"`);
  }
  if (reader.flag(["spec", "preserveUnknownFields"])) {
    reader.fault(
      ["spec", "preserveUnknownFields"],
      "must be false; use x-kubernetes-preserve-unknown-fields in the schema",
    );
  }
  const count = reader.list(["spec", "versions"]).length;
  if (count === 0) reader.fault(["spec", "versions"], "Required value");
  const strategy = reader.text(["spec", "conversion", "strategy"]);
  if (strategy === "Webhook" && count > 1) {
    reader.fault(["spec", "conversion", "strategy"], "Webhook is not supported; None, or a single version, is");
  }
  const versions = Array.from({ length: count }, (_, index) => versionFrom(reader, index));
  for (const [index, { message }] of versions.entries()) {
    const first = versions.findIndex((version) => version.message.name === message.name);
    if (first < index) reader.fault(["spec", "versions", index, "name"], `Duplicate value: "${message.name}"`);
  }
  const stored = versions.filter((version) => version.isStored);
  if (count > 0 && stored.length !== 1) {
    reader.fault(["spec", "versions"], "must have exactly one version marked as storage version");
  }
  if (!reader.isSound) return undefined;
  return {
    group,
    plural,
    kind,
    singular: reader.text(["spec", "names", "singular"]),
    listKind: reader.text(["spec", "names", "listKind"]),
    shortNames: reader.texts(["spec", "names", "shortNames"]),
    categories: reader.texts(["spec", "names", "categories"]),
    scope: scope === "Namespaced" ? Scope.NAMESPACED : Scope.CLUSTER,
    versions: versions.map((version) => version.message),
    storageVersion: stored[0]?.message.name ?? "",
    verbs: allVerbs,
    capabilities: [...support.capabilities],
    resumeWindow: support.resumeWindow,
    maxObjectBytes: support.maxObjectBytes,
  };
}

function versionFrom(reader: Reader, index: number) {
  const at = ["spec", "versions", index];
  const schema = reader.at([...at, "schema", "openAPIV3Schema"]);
  if (schema === undefined) reader.fault([...at, "schema", "openAPIV3Schema"], "Required value: schemas are required");
  else if (typeof schema !== "object" || Array.isArray(schema))
    reader.fault([...at, "schema", "openAPIV3Schema"], "must be a map");
  const hasScale = reader.at([...at, "subresources", "scale"]) !== undefined;
  const scaleAt = [...at, "subresources", "scale"];
  const message = {
    name: reader.text([...at, "name"], { required: true }),
    served: reader.flag([...at, "served"]),
    deprecated: reader.flag([...at, "deprecated"]),
    deprecationWarning: reader.text([...at, "deprecationWarning"]),
    schemaJson: Buffer.from(jsonOf(schema ?? {})),
    columns: reader.list([...at, "additionalPrinterColumns"]).map((_, column) => columnFrom(reader, at, column)),
    selectableFields: reader
      .list([...at, "selectableFields"])
      .map((_, field) => reader.text([...at, "selectableFields", field, "jsonPath"], { required: true })),
    status: reader.at([...at, "subresources", "status"]) !== undefined,
    ...(hasScale
      ? {
          scale: {
            specReplicasPath: reader.text([...scaleAt, "specReplicasPath"], { required: true }),
            statusReplicasPath: reader.text([...scaleAt, "statusReplicasPath"], { required: true }),
            labelSelectorPath: reader.text([...scaleAt, "labelSelectorPath"]),
          },
        }
      : {}),
  };
  return { message, isStored: reader.flag([...at, "storage"]) };
}

const columnTypes = ["integer", "number", "string", "boolean", "date"];

function columnFrom(reader: Reader, version: Path, index: number) {
  const at = [...version, "additionalPrinterColumns", index];
  const type = reader.text([...at, "type"], { required: true });
  if (type !== "" && !columnTypes.includes(type)) {
    reader.fault([...at, "type"], `must be one of ${columnTypes.join(", ")}, got "${type}"`);
  }
  const priority = reader.at([...at, "priority"]);
  if (priority !== undefined && typeof priority !== "bigint") reader.fault([...at, "priority"], "must be an integer");
  return {
    name: reader.text([...at, "name"], { required: true }),
    type,
    format: reader.text([...at, "format"]),
    description: reader.text([...at, "description"]),
    priority: typeof priority === "bigint" ? Number(priority) : 0,
    jsonPath: reader.text([...at, "jsonPath"], { required: true }),
  };
}

// Not yet in TypeScript's library.
const { rawJSON: rawJson } = JSON as unknown as { rawJSON(text: string): unknown };

/** JSON text that keeps integers of 64 bits. */
function jsonOf(value: unknown): string {
  return JSON.stringify(value, (_, item) => (typeof item === "bigint" ? rawJson(item.toString()) : item));
}

function formatPath(path: Path): string {
  return path.reduce<string>(
    (text, part) => (typeof part === "number" ? `${text}[${part}]` : text === "" ? part : `${text}.${part}`),
    "",
  );
}

function kindOf(value: unknown): string {
  if (Array.isArray(value)) return "a list";
  return typeof value === "object" ? "a map" : `a ${typeof value === "bigint" ? "number" : typeof value}`;
}
