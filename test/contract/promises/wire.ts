/** What is promised of the wire: protocols, health, reflection, deadlines, cancellation, sizes, unknown fields. */
import { connect as connectHttp2 } from "node:http2";
import { connect as connectSocket } from "node:net";
import { fromBinary } from "@bufbuild/protobuf";
import { FileDescriptorProtoSchema } from "@bufbuild/protobuf/wkt";
import { Code, createClient } from "@connectrpc/connect";
import { CatalogService } from "../../../gen/annex/store/v1/catalog_pb.js";
import type { Projection } from "../../../gen/annex/store/v1/object_pb.js";
import { StoreService } from "../../../gen/annex/store/v1/store_pb.js";
import { HealthCheckResponse_ServingStatus as Serving } from "../../../gen/grpc/health/v1/health_pb.js";
import { ServerReflection } from "../../../gen/grpc/reflection/v1/reflection_pb.js";
import { dial } from "../connection.ts";
import { codeOf, type Kit, nameOf, refused } from "../kit.ts";
import { hold, promisesOf, same, text } from "../promise.ts";

const wire = promisesOf("wire");
const keeps = { verbs: "create get" };
/** Deadline of a call that has none to end by itself. */
const deadlineMs = 300;

export const wirePromises = [
  wire("grpc.answers", "The store answers gRPC with binary protobuf, from every address.", {}, async (kit) => {
    for (const { address, catalog } of kit.parts.endpoints) {
      const { resources } = await catalog.describe({});
      hold(resources.length > 0, `${address} describes no resource`);
    }
  }),
  wire("health.serving", "Health checking says SERVING for the whole process.", {}, async (kit) => {
    for (const { health, address } of kit.parts.endpoints) {
      same(Serving[(await health.check({})).status], "SERVING", `the health of ${address}`);
    }
  }),
  wire("health.unknown", "Health checking of a service that isn't there is NOT_FOUND.", {}, async (kit) => {
    await refused(
      kit.endpoint.health.check({ service: "nobodys.Service" }),
      Code.NotFound,
      "a check of an unknown service",
    );
  }),
  wire("health.watch", "A health watch says the present status first.", {}, async (kit) => {
    const stop = new AbortController();
    for await (const { status } of kit.endpoint.health.watch({}, { signal: stop.signal })) {
      same(Serving[status], "SERVING", "the first status");
      break;
    }
    stop.abort();
  }),
  wire(
    "reflection.services",
    "Server reflection lists the contract's services and health checking.",
    { offers: "reflection" },
    async (kit) => {
      const answer = await reflect(kit, { case: "listServices", value: "" });
      hold(answer?.case === "listServicesResponse", `reflection answers with ${answer?.case}`);
      const names = answer.value.service.map((service) => service.name);
      for (const wanted of [CatalogService.typeName, StoreService.typeName, "grpc.health.v1.Health"]) {
        if (
          wanted === StoreService.typeName &&
          !kit.parts.subjects.some((subject) => subject.can("get") || subject.can("create"))
        )
          continue;
        hold(names.includes(wanted), `it lists ${names.join(", ")}, not ${wanted}`);
      }
    },
  ),
  wire(
    "reflection.descriptor",
    "Server reflection gives the file in which a service of the contract stands.",
    { offers: "reflection" },
    async (kit) => {
      const answer = await reflect(kit, { case: "fileContainingSymbol", value: CatalogService.typeName });
      hold(answer?.case === "fileDescriptorResponse", `reflection answers with ${answer?.case}`);
      const files = answer.value.fileDescriptorProto.map((bytes) => fromBinary(FileDescriptorProtoSchema, bytes));
      hold(
        files.some(
          (file) =>
            file.package === "annex.store.v1" && file.service.some((service) => service.name === "CatalogService"),
        ),
        "no file holds it",
      );
    },
  ),
  wire("wire.unknown-method", "A method that isn't the contract's is UNIMPLEMENTED.", {}, async (kit) => {
    const status = await rawCall(kit, "/annex.store.v1.StoreService/Nobodys", Buffer.alloc(0));
    // By gRPC's rules a client reads 404 as UNIMPLEMENTED.
    hold(status === String(Code.Unimplemented) || status === "HTTP 404", `the status is ${status}`);
  }),
  wire(
    "wire.deadline",
    "A call ends when its deadline has come: the store doesn't go on for nobody.",
    { verbs: "watch list get" },
    async (kit) => {
      const since = performance.now();
      // The header alone: this side would wait on.
      const untimed = dial(kit.endpoint.address, { tls: kit.parts.tls });
      const store = createClient(StoreService, untimed.transport);
      const headers = { "grpc-timeout": `${deadlineMs}m` };
      const call = (async () => {
        for await (const _ of store.watch({ context: kit.context(), resource: kit.subject.ref }, { headers }));
      })();
      const code = await Promise.race([codeOf(call), later(10 * deadlineMs)]);
      untimed.close();
      hold(
        code !== "late",
        `a watch with a deadline of ${deadlineMs} ms went on for ${Math.round(performance.now() - since)} ms`,
      );
      hold(
        code === undefined || code === Code.DeadlineExceeded || code === Code.Canceled || code === Code.Unavailable,
        `it ended with ${nameOf(code)}`,
      );
    },
  ),
  wire("wire.unknown-fields", "Fields that the store doesn't know are ignored.", keeps, async (kit) => {
    const made = await kit.make();
    const unknown = [{ no: 999, wireType: 2, data: Uint8Array.of(3, 1, 2, 3) }];
    const request = { context: kit.context(), resource: kit.subject.ref, key: made.key, $unknown: unknown };
    same((await kit.store.get(request)).object?.revision, made.revision, "the revision that is read");
  }),
  wire("wire.unknown-enum", "A projection that the store doesn't know is a whole object.", keeps, async (kit) => {
    const made = await kit.make();
    const { object } = await kit.get(made.key, { projection: 77 as Projection });
    same(object.json, made.json, "the object");
  }),
  wire("wire.malformed", "Bytes that are no message are refused, and the store lives on.", {}, async (kit) => {
    const status = await rawCall(
      kit,
      "/annex.store.v1.CatalogService/Describe",
      Buffer.from("\xff\xff\xff\xff not protobuf", "latin1"),
    );
    hold(status !== "0", "a message that can't be read was taken");
    await kit.catalog.describe({});
  }),
  wire(
    "wire.caller",
    "User, groups, extra, impersonator and host ticket travel with a call, and change nothing of the object.",
    keeps,
    async (kit) => {
      const key = kit.key();
      const json = kit.json(key, 1);
      const context = {
        ...kit.context(),
        user: { ...kit.context().user, extra: { "scopes.annex.dev/a": { values: ["x", "ü"] } } },
        impersonator: { name: "admin", uid: "1", groups: [], extra: {} },
        clientVersion: `${kit.subject.ref.group}/${kit.subject.ref.version}`,
        userAgent: "kubectl/v1.36.3",
        host: { address: "127.0.0.1:1", ticket: Uint8Array.of(1, 2, 3) },
        timeoutMs: 5_000,
      };
      await kit.store.create({ context, resource: kit.subject.ref, object: { key, uid: "u", json } });
      const { object } = await kit.store.get({ context, resource: kit.subject.ref, key });
      same(object?.json, json, "the object");
    },
  ),
  wire(
    "wire.cancelled",
    "A call that is cancelled leaves the connection, and other calls on it, unharmed.",
    { verbs: "create get list" },
    async (kit) => {
      await kit.make();
      const calls = Array.from({ length: 200 }, async () => {
        const stop = new AbortController();
        const list = (async () => {
          for await (const _ of kit.store.list(
            { context: kit.context(), resource: kit.subject.ref },
            { signal: stop.signal },
          ));
        })();
        queueMicrotask(() => stop.abort());
        await codeOf(list);
      });
      const steady = Array.from({ length: 50 }, () => kit.make());
      await Promise.all([...calls, ...steady]);
    },
  ),
  wire("wire.at-once", "Two hundred calls at once are all answered.", keeps, async (kit) => {
    const made = await kit.make();
    const found = await Promise.all(Array.from({ length: 200 }, () => kit.get(made.key)));
    same(found.filter(({ object }) => object.revision !== made.revision).length, 0, "wrong answers");
  }),
  wire(
    "wire.message-limit",
    "A message above the largest that is declared is refused, and the connection goes on.",
    keeps,
    async (kit) => {
      const declared = Number(kit.parts.description.maxMessageBytes) || 4 * 1024 * 1024;
      const key = kit.key();
      const json = Buffer.alloc(declared + 1024, "x");
      const own = dial(kit.endpoint.address, { tls: kit.parts.tls });
      const store = createClient(StoreService, own.transport);
      const request = { context: kit.context(), resource: kit.subject.ref, object: { key, uid: "u", json } };
      hold(
        (await codeOf(store.create(request))) !== undefined,
        `a message of ${json.length} bytes was taken, above ${declared}`,
      );
      own.close();
      await kit.make();
    },
  ),
  wire("wire.connections", "Calls over twenty connections at once are all answered.", keeps, async (kit) => {
    const made = await kit.make();
    await Promise.all(
      Array.from({ length: 20 }, async () => {
        const store = createClient(StoreService, kit.dial("grpc").transport);
        const { object } = await store.get({ context: kit.context(), resource: kit.subject.ref, key: made.key });
        same(object?.revision, made.revision, "the revision that is read");
      }),
    );
  }),
];

/** The Connect protocol: checked once the calls themselves are known to be right. */
export const connectPromises = [
  wire(
    "connect.describe",
    "The Connect protocol, with protobuf and with JSON, gives the same description.",
    { offers: "connect" },
    async (kit) => {
      const { digest } = await kit.catalog.describe({});
      for (const protocol of ["connect", "connect+json"] as const) {
        const catalog = createClient(CatalogService, kit.dial(protocol).transport);
        same((await catalog.describe({})).digest, digest, `the digest over ${protocol}`);
      }
    },
  ),
  wire(
    "connect.objects",
    "The Connect protocol, with protobuf and with JSON, gives the same objects as gRPC.",
    { ...keeps, offers: "connect" },
    async (kit) => {
      const made = await kit.make("ünï \u{1F600}");
      for (const protocol of ["connect", "connect+json"] as const) {
        const store = createClient(StoreService, kit.dial(protocol).transport);
        const { object } = await store.get({ context: kit.context(), resource: kit.subject.ref, key: made.key });
        same([object?.revision, text(object?.json)], [made.revision, text(made.json)], `the object over ${protocol}`);
      }
    },
  ),
  wire(
    "connect.errors",
    "The Connect protocol gives the same codes and details as gRPC.",
    { verbs: "create get update", offers: "connect" },
    async (kit) => {
      const made = await kit.make(1);
      const next = await kit.put(made, 2);
      for (const protocol of ["connect", "connect+json"] as const) {
        const store = createClient(StoreService, kit.dial(protocol).transport);
        const request = { context: kit.context(), resource: kit.subject.ref };
        await refused(
          store.get({ ...request, key: kit.key() }),
          Code.NotFound,
          `a get of a missing object over ${protocol}`,
        );
        const object = { key: made.key, uid: made.uid, json: kit.json(made.key, 3) };
        const stale = store.update({
          ...request,
          object,
          preconditions: { revision: made.revision },
          returnCurrentOnConflict: true,
        });
        const detail = await refused(stale, Code.Aborted, `a stale update over ${protocol}`);
        if (detail?.current !== undefined)
          same(detail.current.revision, next.revision, "the present revision in the detail");
      }
    },
  ),
  wire(
    "connect.streams",
    "The Connect protocol streams lists and watches as gRPC does.",
    { verbs: "create get list watch", offers: "connect" },
    async (kit) => {
      const made = await kit.make(1);
      for (const protocol of ["connect", "connect+json"] as const) {
        const store = createClient(StoreService, kit.dial(protocol).transport);
        const request = { context: kit.context(), resource: kit.subject.ref };
        const revisions: bigint[] = [];
        let isWhole = false;
        for await (const chunk of store.list({ ...request, namespace: kit.namespace() })) {
          revisions.push(...chunk.items.map((item) => item.revision));
          isWhole ||= chunk.end !== undefined;
        }
        hold(isWhole && revisions.includes(made.revision), `the list over ${protocol} lacks its end or the object`);
        const stop = new AbortController();
        for await (const { frame } of store.watch(request, { signal: stop.signal })) {
          same(frame.case, "started", `the first frame over ${protocol}`);
          break;
        }
        stop.abort();
      }
    },
  ),
];

type ReflectionRequest = { readonly case: "listServices" | "fileContainingSymbol"; readonly value: string };

async function reflect(kit: Kit, messageRequest: ReflectionRequest) {
  const reflection = createClient(ServerReflection, kit.dial("grpc").transport);
  async function* requests() {
    yield { messageRequest };
  }
  for await (const { messageResponse } of reflection.serverReflectionInfo(requests())) return messageResponse;
  return undefined;
}

async function later(ms: number): Promise<"late"> {
  return await new Promise((resolve) => setTimeout(() => resolve("late"), ms).unref());
}

/** Calls a method with bytes as they are; gives the gRPC status, or why there is none. */
async function rawCall(kit: Kit, path: string, message: Buffer): Promise<string> {
  const { address } = kit.endpoint;
  if (kit.parts.tls !== undefined) return "none: over TLS it isn't tried";
  const isUnix = address.startsWith("unix:");
  const session = connectHttp2(isUnix ? "http://localhost" : `http://${address}`, {
    ...(isUnix ? { createConnection: () => connectSocket(address.slice("unix:".length)) } : {}),
  });
  try {
    return await new Promise<string>((resolve) => {
      session.once("error", (error) => resolve(error.message));
      const stream = session.request({
        ":method": "POST",
        ":path": path,
        "content-type": "application/grpc+proto",
        te: "trailers",
      });
      let status = "";
      stream.on("response", (headers) => {
        const http = headers[":status"];
        status = String(headers["grpc-status"] ?? (http === 200 ? status : `HTTP ${http}`));
      });
      stream.on("trailers", (headers) => {
        status = String(headers["grpc-status"] ?? status);
      });
      stream.once("error", (error) => resolve(error.message));
      stream.once("close", () => resolve(status));
      stream.resume();
      const head = Buffer.alloc(5);
      head.writeUInt32BE(message.length, 1);
      stream.end(Buffer.concat([head, message]));
    });
  } finally {
    session.destroy();
  }
}
