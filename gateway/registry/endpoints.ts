/**
 * The endpoints of one store: its addresses, and those behind its names, as one transport.
 *
 * Endpoints that tell the same (resources and epoch) are replicas of each other. Where they differ, as
 * while a store is rolled out, calls go to those that tell what most tell, so that the resources change
 * once and no call meets a replica that doesn't know them; of equals those in use stay.
 * A store is away when none of its endpoints in use answers.
 */
import { equals } from "@bufbuild/protobuf";
import type { Transport } from "@connectrpc/connect";
import { type DescribeResponse, type Resource, ResourceSchema } from "../../gen/annex/store/v1/catalog_pb.js";
import { createBalancedTransport } from "./balanced-transport.ts";
import { createEndpoint, type Endpoint, type EndpointOptions } from "./endpoint.ts";
import { hostOf, type Lookup, spreadOf, systemLookup } from "./lookup.ts";
import type { StoreAddress, StoreConnection } from "./transport.ts";

/** A store's endpoints until they are closed. */
export interface Endpoints {
  readonly transport: Transport;
  /** Whether one that is in use answers. */
  isReady(): boolean;
  /** Why the store isn't ready; `""` if it is. */
  message(): string;
  /** How many are in use and answer, and how many there are. */
  figures(): { readonly ready: number; readonly all: number; readonly sessions: number };
  /** Tells each what is refused of its description. Never rejects. */
  tell(): Promise<void>;
  /** Takes other addresses; endpoints that stay go on. */
  configure(addresses: readonly string[]): void;
  close(): void;
}

/** What they are made with. */
export interface EndpointsOptions
  extends Pick<EndpointOptions, "store" | "gateway" | "observe" | "log" | "shown" | "refused" | "onChange"> {
  readonly addresses: readonly string[];
  /** How each is spoken to. */
  readonly how: Omit<StoreAddress, "address" | "ip">;
  readonly connect: (address: StoreAddress) => StoreConnection;
  /** Takes the description in force, when it is another one. */
  readonly onDescription: (description: DescribeResponse) => Promise<void>;
  /** Default: the operating system's. */
  readonly lookup?: Lookup | undefined;
}

/** Names are looked up anew this often: as long as a cluster's DNS usually lets an answer be kept. */
const lookupEveryMs = 30_000;
/** And when an endpoint goes away, but not more often than this. */
const minLookupMs = 1_000;

/** An endpoint and where it was found. */
interface Place {
  readonly address: string;
  readonly ip: string | undefined;
}

/** Makes them, and begins to ask them. */
export function createEndpoints(options: EndpointsOptions): Endpoints {
  const { store, how, connect, log, lookup = systemLookup } = options;
  const endpoints = new Map<string, Endpoint>();
  /** The IP addresses of each address that is a name, as they were found last; none: it is one endpoint. */
  const spread = new Map<string, readonly string[]>();
  let addresses = options.addresses;
  let inForce: DescribeResponse | undefined;
  /** Those that describe what is in force. */
  let inUse: ReadonlySet<Endpoint> = new Set();
  /** What the log has of those that are not in use. */
  const noted = new WeakMap<Endpoint, DescribeResponse | undefined>();
  let choosing = Promise.resolve();
  let isLookingUp = false;
  let lookedUpAt = Number.NEGATIVE_INFINITY;
  let isClosed = false;

  const lookingUp = setInterval(() => void lookUpNames(), lookupEveryMs);
  lookingUp.unref();
  settle();
  void lookUpNames();

  /** Those that may be called now. Before any has told what it serves: whoever is there. */
  function candidates(): readonly Endpoint[] {
    const known = inUse.size > 0 ? [...inUse] : [...endpoints.values()];
    return known.filter((one) => !one.isRefusing());
  }

  /** Opens the endpoints that are new, and leaves those that are gone. */
  function settle(): void {
    const wanted = new Map(addresses.flatMap(placesOf).map((place) => [`${place.address} ${place.ip ?? ""}`, place]));
    const gone = new Set<Endpoint>();
    for (const [id, endpoint] of endpoints) {
      if (wanted.has(id)) continue;
      endpoints.delete(id);
      gone.add(endpoint);
    }
    for (const [id, place] of wanted) if (!endpoints.has(id)) endpoints.set(id, open(place));
    inUse = new Set([...inUse].filter((one) => !gone.has(one)));
    for (const endpoint of gone) endpoint.leave();
    if (gone.size > 0) chooseSoon();
  }

  function placesOf(address: string): Place[] {
    const whole = { address, ip: undefined };
    if (hostOf(address) === undefined) return [whole];
    const ips = spread.get(address);
    // Not dialled before it was looked up: it might soon be left.
    if (ips === undefined) return [];
    return ips.length === 0 ? [whole] : ips.map((ip) => ({ address, ip }));
  }

  async function lookUpNames(): Promise<void> {
    if (isLookingUp || isClosed || performance.now() - lookedUpAt < minLookupMs) return;
    isLookingUp = true;
    await Promise.all(addresses.map(lookUp));
    isLookingUp = false;
    lookedUpAt = performance.now();
    if (!isClosed) settle();
  }

  async function lookUp(address: string): Promise<void> {
    const host = hostOf(address);
    if (host === undefined) return;
    const before = spread.get(address) ?? [];
    try {
      spread.set(address, spreadOf(await lookup(host), before.length > 0));
    } catch (error) {
      // The endpoints stay as they were; without any, Node's own attempt says what is wrong.
      spread.set(address, before);
      if (before.length > 0) log.warn({ store, address, err: error }, "the name can't be looked up anew");
    }
  }

  function open({ address, ip }: Place): Endpoint {
    const endpoint: Endpoint = createEndpoint({
      ...options,
      address: ip === undefined ? address : `${address} (${ip})`,
      open: () => connect({ ...how, address, ip }),
      refused: () => (inUse.has(endpoint) ? options.refused() : undefined),
      onDescription: choose,
      onChange: () => changed(endpoint),
    });
    return endpoint;
  }

  function changed(endpoint: Endpoint): void {
    options.onChange();
    chooseSoon();
    if (endpoint.state === "away") void lookUpNames();
    // Whoever watches an endpoint that hangs hears nothing; another one can tell.
    const isReplaced = endpoint.isRefusing() && candidates().some((one) => !one.isDoubtful);
    if (isReplaced) endpoint.endWatches();
  }

  /** For those who have nothing to do with what fails: an endpoint that describes itself tries again. */
  function chooseSoon(): void {
    choose().catch((error: unknown) => log.warn({ store, err: error }, "the description can't be taken"));
  }

  /** Finds out which description is in force, and takes it if it is another one. */
  async function choose(): Promise<void> {
    const chosen = choosing.then(async () => {
      if (isClosed) return;
      const next = mostTold();
      if (next === undefined) return;
      if (inForce === undefined || !isSame(next, inForce)) await options.onDescription(next);
      inForce = next;
      const described = [...endpoints.values()].filter(({ description }) => description !== undefined);
      inUse = new Set(described.filter(({ description }) => description && isSame(description, next)));
      for (const one of described) if (!inUse.has(one)) noteUnused(one);
    });
    choosing = chosen.catch(() => {});
    await chosen;
  }

  function noteUnused(endpoint: Endpoint): void {
    if (endpoint.state === "away" || noted.get(endpoint) === endpoint.description) return;
    noted.set(endpoint, endpoint.description);
    log.warn(
      { store, endpoint: endpoint.address },
      "an endpoint tells other resources, or another epoch: not used yet",
    );
  }

  /** Gives what most of those that answer tell; of equals what is in force. */
  function mostTold(): DescribeResponse | undefined {
    const told = [...endpoints.values()]
      .filter((one) => one.state !== "away" && !one.isRefusing())
      .map(({ description }) => description)
      .filter((description) => description !== undefined);
    const votesFor = (one: DescribeResponse) => told.filter((other) => isSame(one, other)).length;
    let best = inForce;
    for (const one of told) if (best === undefined || votesFor(one) > votesFor(best)) best = one;
    return best;
  }

  return {
    transport: createBalancedTransport(candidates),
    isReady: () => [...inUse].some(isReady),
    message: () => [...(inUse.size > 0 ? inUse : endpoints.values())].find((one) => !isReady(one))?.message ?? "",
    figures() {
      const all = [...endpoints.values()];
      const sessions = all.reduce((sum, one) => sum + one.sessions(), 0);
      return { ready: [...inUse].filter(isReady).length, all: all.length, sessions };
    },
    async tell() {
      await Promise.all([...inUse].filter(isReady).map((one) => one.tell()));
    },
    configure(next) {
      addresses = next;
      settle();
      lookedUpAt = Number.NEGATIVE_INFINITY;
      void lookUpNames();
    },
    close() {
      isClosed = true;
      clearInterval(lookingUp);
      for (const endpoint of endpoints.values()) endpoint.close();
    },
  };
}

function isReady(endpoint: Endpoint): boolean {
  return endpoint.state === "ready" && !endpoint.isRefusing();
}

/** Whether replicas that tell this keep the same objects and serve them alike. */
function isSame(one: DescribeResponse, other: DescribeResponse): boolean {
  if (one.epoch !== other.epoch || one.revisionScope !== other.revisionScope) return false;
  if (one.digest !== "" && one.digest === other.digest) return true;
  const { resources } = other;
  return (
    one.resources.length === resources.length &&
    one.resources.every((resource, index) => equals(ResourceSchema, resource, resources[index] as Resource))
  );
}
