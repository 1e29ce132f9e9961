/**
 * Checks every promise against one store, in order, each in a space of its own, and cleans up.
 *
 * A promise runs once for each kind of resource that the store describes (the same verbs, capabilities
 * and life), and is kept if it is kept for all of them.
 */
import { type Client, Code, ConnectError, createClient } from "@connectrpc/connect";
import { CatalogService, type DescribeResponse, RevisionScope } from "../../gen/annex/store/v1/catalog_pb.js";
import { SessionService } from "../../gen/annex/store/v1/session_pb.js";
import { ServerReflection } from "../../gen/grpc/reflection/v1/reflection_pb.js";
import { removeObjects } from "./clean-up.ts";
import { type Connection, type DialOptions, dial, type Protocol, type TlsFiles } from "./connection.ts";
import { createEndpoint, type Endpoint, Kit } from "./kit.ts";
import { describeOperation } from "./operation.ts";
import type { StoreProcess } from "./process.ts";
import { Broken, type ContractPromise, type Needs, type VerbWord } from "./promise.ts";
import { createRecorder, type Recorder } from "./recorder.ts";
import { distinctSubjects, lackOf, otherOf, type Subject, subjectsOf } from "./subject.ts";

/** What to certify, and how. */
export interface CertifyOptions {
  /** More than one: replicas of one store. */
  readonly addresses: readonly string[];
  readonly process?: StoreProcess | undefined;
  readonly tls?: TlsFiles | undefined;
  readonly promises: readonly ContractPromise[];
  /** Where the history is kept. */
  readonly historyFile?: string | undefined;
  /** End at the first promise that is broken, and leave what was written. */
  readonly stopAtFirst?: boolean;
  /** Gives a connection in the place of dialling; undefined: dial. For stores in this process. */
  readonly connect?: (address: string, options: DialOptions) => Connection | undefined;
  readonly onResult?: (result: PromiseResult) => void;
}

/** How it went with one promise. */
export interface PromiseResult {
  readonly promise: ContractPromise;
  readonly outcome: "kept" | "broken" | "skipped";
  readonly tookMs: number;
  /** Broken: what was seen. Skipped: what the store doesn't declare. */
  readonly seen: string;
  /** Broken: the calls that show it. */
  readonly evidence: readonly string[];
}

/** How it went with a store. */
export interface CertifyReport {
  readonly implementation: string;
  readonly version: string;
  readonly digest: string;
  readonly addresses: readonly string[];
  readonly resources: readonly string[];
  readonly results: readonly PromiseResult[];
  readonly tookMs: number;
  /** Objects that could not be removed, as `resource namespace/name`. */
  readonly left: readonly string[];
}

/** The store doesn't answer Describe: there is nothing that could be certified. */
export class NoDescriptionError extends Error {
  override readonly name = "NoDescriptionError";
}

/** Longest time for one promise, unless it says another: most take a hundredth of it on a machine that is idle. */
const promiseMs = 60_000;
/** Longest time for one call of a promise. */
const callMs = 20_000;
/** How long a store may be starting until it answers Describe. */
const startingMs = 15_000;
/** Calls that are shown of a broken promise that doesn't choose them. */
const shownCalls = 6;

/** Certifies a store. @throws NoDescriptionError. */
export async function certify(options: CertifyOptions): Promise<CertifyReport> {
  const began = performance.now();
  const run = `certify-${Date.now().toString(36)}${Math.floor(Math.random() * 1296)
    .toString(36)
    .padStart(2, "0")}`;
  const line = createLine(options);
  try {
    const description = await describeStore(line.plain());
    const recorder = createRecorder(
      {
        annexHistory: 1,
        implementation: `${description.implementation} ${description.implementationVersion}`.trim(),
        storeScope: description.revisionScope === RevisionScope.STORE,
      },
      options.historyFile,
    );
    const subjects = subjectsOf(description);
    const offers = await offersOf(line, options);
    const parts = { run, description, subjects, recorder, process: options.process, tls: options.tls };
    const results: PromiseResult[] = [];
    for (const [index, promise] of options.promises.entries()) {
      const since = performance.now();
      recorder.begin(promise.name);
      const first = recorder.operations.length;
      const applying = subjectsFor(promise.needs, { subjects, description, offers, options });
      let outcome: Pick<PromiseResult, "outcome" | "seen" | "evidence">;
      if (typeof applying === "string") outcome = { outcome: "skipped", seen: applying, evidence: [] };
      else {
        outcome = { outcome: "kept", seen: "", evidence: [] };
        for (const [turn, subject] of applying.entries()) {
          const wanted = verbsOf(promise.needs);
          const kit = new Kit({
            ...parts,
            space: `${run}-p${index}${turn === 0 ? "" : `r${turn}`}x`,
            endpoints: line.endpoints(recorder),
            subject,
            other: otherOf(wanted, subject, subjects),
            dial: (protocol, address) => line.dial(recorder, protocol, address),
          });
          const broken = await brokenBy(promise, kit);
          if (broken === undefined) continue;
          outcome = {
            outcome: "broken",
            seen: applying.length > 1 ? `${subject.label}: ${broken.message}` : broken.message,
            evidence: broken.evidence ?? lastCalls(recorder, first),
          };
          break;
        }
      }
      recorder.flush();
      const result = { promise, tookMs: performance.now() - since, ...outcome };
      results.push(result);
      options.onResult?.(result);
      if (options.stopAtFirst && outcome.outcome === "broken") break;
    }
    recorder.begin("clean-up");
    const isUnclean = options.stopAtFirst && results.some((result) => result.outcome === "broken");
    const left = isUnclean ? [] : await removeObjects(line.endpoints(recorder)[0], recorder, subjects, run);
    return {
      implementation: description.implementation,
      version: description.implementationVersion,
      digest: description.digest,
      addresses: options.process?.addresses ?? options.addresses,
      resources: subjects.map((subject) => subject.label),
      results,
      tookMs: performance.now() - began,
      left,
    };
  } finally {
    line.close();
  }
}

interface Line {
  /** Clients of the first endpoint that nothing records. */
  plain(): Client<typeof CatalogService>;
  endpoints(recorder: Recorder): readonly [Endpoint, ...Endpoint[]];
  dial(recorder: Recorder, protocol: Protocol, address?: string): Connection;
  close(): void;
}

/** Connections that follow the process when it is started again elsewhere. */
function createLine({ addresses, process, tls, connect }: CertifyOptions): Line {
  const open = (address: string, options: DialOptions) => connect?.(address, options) ?? dial(address, options);
  const present = () => process?.addresses ?? addresses;
  const first = () => present()[0] ?? "";
  const plain = open(first(), { tls, timeoutMs: callMs });
  let dialled: readonly string[] = [];
  let connections: Connection[] = [];
  let endpoints: Endpoint[] = [];

  function close(): void {
    for (const connection of connections) connection.close();
  }

  return {
    plain: () => createClient(CatalogService, plain.transport),
    endpoints(recorder) {
      if (dialled.join() !== present().join()) {
        close();
        dialled = present();
        connections = dialled.map((address, index) =>
          open(address, { tls, timeoutMs: callMs, interceptors: [recorder.of(index)] }),
        );
        endpoints = connections.map(({ transport }, index) => createEndpoint(transport, dialled[index] ?? ""));
      }
      return endpoints as [Endpoint, ...Endpoint[]];
    },
    dial: (recorder, protocol, address = first()) =>
      open(address, { protocol, tls, timeoutMs: callMs, interceptors: [recorder.of(0)] }),
    close() {
      plain.close();
      close();
    },
  };
}

async function describeStore(catalog: Client<typeof CatalogService>): Promise<DescribeResponse> {
  const until = performance.now() + startingMs;
  for (;;) {
    try {
      return await catalog.describe({});
    } catch (error) {
      const { code, message } = ConnectError.from(error);
      if (code !== Code.Unavailable || performance.now() > until) {
        throw new NoDescriptionError(`the store does not answer Describe: ${message}`, { cause: error });
      }
      await new Promise<void>((resolve) => setTimeout(resolve, 50));
    }
  }
}

type Offer = NonNullable<Needs["offers"]>;

/** Which protocols and optional services the store has. */
async function offersOf(line: Line, { tls, addresses, process }: CertifyOptions): Promise<ReadonlySet<Offer>> {
  const offers = new Set<Offer>();
  const catalog = line.plain();
  const present = async (offer: Offer, call: () => Promise<unknown>) => {
    try {
      await call();
      offers.add(offer);
    } catch (error) {
      const { code } = ConnectError.from(error);
      // gRPC servers answer another protocol with 415, 404 or a broken stream: none of it is Connect's.
      if (offer !== "connect" && code !== Code.Unimplemented) offers.add(offer);
    }
  };
  const first = <T>(stream: AsyncIterable<T>) => stream[Symbol.asyncIterator]().next();
  const address = (process?.addresses ?? addresses)[0] ?? "";
  const connect = dial(address, { protocol: "connect", tls, timeoutMs: 2_000 });
  const grpc = dial(address, { tls, timeoutMs: 2_000 });
  try {
    await present("connect", () => createClient(CatalogService, connect.transport).describe({}));
    await present("status", () => catalog.status({}));
    await present("watchDescription", () => first(createClient(CatalogService, grpc.transport).watchDescription({})));
    await present("session", () => first(createClient(SessionService, grpc.transport).open(greeting())));
    await present("reflection", () =>
      first(createClient(ServerReflection, grpc.transport).serverReflectionInfo(listServices())),
    );
  } finally {
    connect.close();
    grpc.close();
  }
  return offers;
}

async function* greeting() {
  yield { frames: [{ frame: { case: "hello" as const, value: {} } }] };
}

async function* listServices() {
  yield { messageRequest: { case: "listServices" as const, value: "" } };
}

interface Ground {
  readonly subjects: readonly Subject[];
  readonly description: DescribeResponse;
  readonly offers: ReadonlySet<Offer>;
  readonly options: CertifyOptions;
}

const verbsOf = (needs: Needs) => (needs.verbs ?? "").split(" ").filter((verb) => verb !== "") as VerbWord[];

/** Gives the resources to check a promise with, or what the store doesn't declare. */
function subjectsFor(needs: Needs, { subjects, description, offers, options }: Ground): readonly Subject[] | string {
  if (needs.offers !== undefined && !offers.has(needs.offers)) return `${needs.offers} is not offered`;
  if (needs.replicas && options.addresses.length < 2) return "one address: there are no replicas";
  if (needs.process && options.process === undefined) return "an address, not a command: the process is not ours";
  const isOfStore = [needs.verbs, needs.has, needs.lacks, needs.action].every((need) => need === undefined);
  if (isOfStore && !needs.isNamespaced && !needs.storeScope && !needs.other) return subjects.slice(0, 1);
  const lacks = new Set<string>();
  const applying = distinctSubjects(
    subjects.filter((subject) => {
      const lack = lackOf(needs, subject, subjects, description);
      if (lack !== undefined) lacks.add(lack);
      return lack === undefined;
    }),
  );
  return applying.length > 0 ? applying : `not declared: ${[...lacks].join(", ") || "a resource"}`;
}

async function brokenBy(promise: ContractPromise, kit: Kit): Promise<Broken | undefined> {
  const timeoutMs = promise.timeoutMs ?? promiseMs;
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Broken(`it was not settled within ${timeoutMs / 1000} s`)), timeoutMs);
  });
  try {
    await Promise.race([promise.check(kit), late]);
    return undefined;
  } catch (error) {
    if (error instanceof Broken) return error;
    if (error instanceof ConnectError) return new Broken(`a call failed: ${error.message}`);
    if (/SyntaxError$/.test((error as Error).name))
      return new Broken(`what came is no JSON: ${(error as Error).message}`);
    throw error;
  } finally {
    clearTimeout(timer);
    kit.close();
  }
}

/** The calls about the key that was called about last, or the last calls. */
function lastCalls(recorder: Recorder, first: number): readonly string[] {
  const operations = recorder.operations.slice(first);
  const key = operations.findLast((op) => op.key !== undefined)?.key;
  const about = operations.filter((op) => op.key === undefined || op.key === key);
  return about.slice(-shownCalls).map(describeOperation);
}
