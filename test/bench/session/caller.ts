/**
 * The process that calls: told by its parent what to call and how often, says what it saw.
 *
 * Arguments: `session`, `grpc` or `connect`, an address, and for mutual TLS the files of the
 * authority, the certificate and the key.
 */
import { connect } from "node:net";
import { createClient, type Transport } from "@connectrpc/connect";
import { createConnectTransport, createGrpcTransport, Http2SessionManager } from "@connectrpc/connect-node";
import { createStoreConnection } from "../../../gateway/registry/transport.ts";
import { StoreService } from "../../../gen/annex/store/v1/store_pb.js";

/** What is to be done. */
export interface Work {
  /** Calls for 1 KB, so many at a time. */
  readonly calls: number;
  readonly inFlight: number;
  /** What goes on meanwhile. */
  readonly beside: "nothing" | "1 MB calls" | "hanging calls";
}

/** What came of it. */
export interface Done {
  /** Of one call. */
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** Calls that were made meanwhile and have ended. */
  readonly beside: number;
}

/** As long as the gateway gives a call. */
const timeoutMs = 30_000;
const smallBytes = 1024;
const largeBytes = 1024 * 1024;
/** Calls that never end, at a time. */
const hanging = 100;

const [by = "", address = "", caFile = "", certFile = "", keyFile = ""] = process.argv.slice(2);
const client = createClient(StoreService, by === "session" ? sessionTransport() : plainTransport());
const resource = { group: "bench.annex.dev", version: "v1", plural: "things", subresource: "" };

process.on("message", async (work: Work) => process.send?.(await run(work)));
process.once("disconnect", () => process.exit());
process.once("SIGTERM", () => process.exit());

function sessionTransport(): Transport {
  const tls = caFile === "" ? undefined : { caFile, certFile, keyFile, serverName: "" };
  return createStoreConnection({ address, protocol: "grpc", tls }).transport;
}

function plainTransport(): Transport {
  const baseUrl = "http://localhost";
  const createConnection = () => connect(address.slice("unix:".length));
  const sessionManager = new Http2SessionManager(baseUrl, {}, { createConnection });
  const options = { baseUrl, sessionManager, useBinaryFormat: true, acceptCompression: [] };
  return by === "grpc" ? createGrpcTransport(options) : createConnectTransport({ ...options, httpVersion: "2" });
}

async function get(name: string, signal?: AbortSignal): Promise<number> {
  const { object } = await client.get(
    { resource, key: { namespace: "ns", name } },
    { timeoutMs, ...(signal && { signal }) },
  );
  return object?.json.length ?? 0;
}

async function run({ calls, inFlight, beside }: Work): Promise<Done> {
  const stop = new AbortController();
  let ended = 0;
  const meanwhile: Promise<void>[] = [];
  if (beside === "1 MB calls") meanwhile.push(callLarge());
  if (beside === "hanging calls") meanwhile.push(...Array.from({ length: hanging }, callHanging));
  async function callLarge(): Promise<void> {
    for (; !stop.signal.aborted; ended++) await get(String(largeBytes));
  }
  async function callHanging(): Promise<void> {
    await get("hangs", stop.signal).catch(() => {});
  }

  // What hangs has begun before the first call that counts.
  await get(String(smallBytes));

  const took = new Float64Array(calls);
  let next = 0;
  async function callSmall(): Promise<void> {
    while (next < calls) {
      const index = next++;
      const began = performance.now();
      if ((await get(String(smallBytes))) !== smallBytes) throw new Error("not what was asked for");
      took[index] = performance.now() - began;
    }
  }
  await Promise.all(Array.from({ length: inFlight }, callSmall));
  stop.abort();
  await Promise.all(meanwhile);
  took.sort();
  const percentile = (share: number) => took[Math.floor((calls - 1) * share)] as number;
  return { p50Ms: percentile(0.5), p99Ms: percentile(0.99), beside: ended };
}
