/**
 * What is promised of sessions: a call means the same by session as by an RPC of its own, many are in
 * flight, and neither side is sent more than it takes.
 *
 * What other promises say of unary calls is checked once more with all of them going by session.
 */
import { setTimeout as pause } from "node:timers/promises";
import { create, toBinary } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import { CatalogService, DescribeRequestSchema } from "../../../gen/annex/store/v1/catalog_pb.js";
import { ErrorDetailSchema } from "../../../gen/annex/store/v1/error_pb.js";
import { GetRequestSchema, StoreService } from "../../../gen/annex/store/v1/store_pb.js";
import { Kit, type Made, nameOf, refused } from "../kit.ts";
import { Broken, type ContractPromise, hold, promisesOf, same, text } from "../promise.ts";
import { nameOfMethod, partBytes } from "../session.ts";
import { lackOf } from "../subject.ts";
import { codePromises } from "./codes.ts";
import { createPromises } from "./create.ts";
import { deletePromises } from "./delete.ts";
import { dryRunPromises } from "./dry-run.ts";
import { updatePromises } from "./update.ts";

const wire = promisesOf("wire");
const offered = { offers: "session" } as const;
const keeps = { ...offered, verbs: "create get" } as const;
const updates = { ...offered, verbs: "create get update" } as const;
/** A message of many parts, and of more bytes than an object may have. */
const largeBytes = 5 * partBytes;
const get = nameOfMethod(StoreService.method.get);
/** Deadline of a call that would never be answered. */
const deadlineMs = 200;
/** Calls in flight that a hello without a number allows. */
const defaultMaxCalls = 1_024;
/** Most calls that are begun to find a bound: of a store that allows more, whether it takes so many. */
const mostCalls = 20_000;
/** How long to look whether something comes that must not. */
const quietMs = 200;

export const sessionPromises = [
  wire("session.hello", "The first frame of a session is the store's hello.", offered, async (kit) => {
    const session = kit.session();
    await session.until(() => session.frames.length > 0, "the first frame");
    same(session.frames[0]?.frame.case, "hello", "the first frame");
  }),
  wire(
    "session.no-hello",
    "A session that doesn't begin with hello ends with INVALID_ARGUMENT.",
    offered,
    async (kit) => {
      const session = kit.session({ isUngreeted: true });
      session.send({ frame: { case: "ping", value: { number: 1n } } });
      same(nameOf((await session.over())?.code), "INVALID_ARGUMENT", "the code of the session");
    },
  ),
  wire("session.ping", "A ping is answered with its number.", offered, async (kit) => {
    const session = kit.session();
    for (const number of [7n, 0n, 1n << 63n]) {
      session.send({ frame: { case: "ping", value: { number } } });
      const isAnswer = ({ frame }: (typeof session.frames)[number]) =>
        frame.case === "ping" && frame.value.isAnswer && frame.value.number === number;
      await session.until(() => session.frames.some(isAnswer), `the answer to ping ${number}`);
    }
  }),
  wire("session.same-answers", "A read by session answers as the RPC does.", keeps, async (kit) => {
    const made = await kit.make({ a: "ü" });
    const { endpoint } = kit.bySession();
    const [byRpc, bySession] = [await kit.get(made.key), await kit.get(made.key, { endpoint })];
    same(
      [bySession.object.revision, bySession.object.uid, text(bySession.object.json)],
      [byRpc.object.revision, byRpc.object.uid, text(byRpc.object.json)],
      "the object by session",
    );
    same(bySession.epoch, byRpc.epoch, "the epoch by session");
    hold((await kit.head(kit.subject, endpoint)).revision >= made.revision, "the head by session is below a write");
    const [plain, other] = [await kit.catalog.describe({}), await endpoint.catalog.describe({})];
    same([other.digest, other.resources.length], [plain.digest, plain.resources.length], "the description");
  }),
  wire(
    "session.same-errors",
    "An error by session has the code and the detail that the RPC's has.",
    updates,
    async (kit) => {
      const first = await kit.make(1);
      const next = await kit.put(first, 2);
      const { endpoint } = kit.bySession();
      const { ref: resource } = kit.subject;
      const object = { key: first.key, uid: first.uid, json: kit.json(first.key, 3) };
      const stale = { resource, object, preconditions: { revision: first.revision }, returnCurrentOnConflict: true };
      const calls: readonly [string, (store: Kit["store"]) => Promise<unknown>][] = [
        ["a get of a missing object", (store) => store.get({ context: kit.context(), resource, key: kit.key("none") })],
        [
          "a get without a name",
          (store) => store.get({ context: kit.context(), resource, key: { ...first.key, name: "" } }),
        ],
        ["a create of a taken name", (store) => store.create({ context: kit.context(), resource, object })],
        ["a stale update", (store) => store.update({ context: kit.context(), ...stale })],
        ["a get of nobody's", (store) => store.get({ resource: { ...resource, plural: "nobodys" }, key: first.key })],
      ];
      for (const [what, call] of calls)
        same(await failureOf(call(endpoint.store)), await failureOf(call(kit.store)), `${what} by session`);
      same((await kit.get(first.key)).object.revision, next.revision, "the object after refused calls");
    },
  ),
  wire(
    "session.unary-only",
    "List, Watch and unknown methods are UNIMPLEMENTED by session, and the session goes on.",
    offered,
    async (kit) => {
      const session = kit.session();
      const { list, watch } = StoreService.method;
      for (const method of [nameOfMethod(list), nameOfMethod(watch), "annex.store.v1.StoreService/Nobodys", "x", ""]) {
        const call = session.next();
        await session.begin(call, { method }, new Uint8Array());
        await refused(session.result(call), Code.Unimplemented, `the method "${method}"`);
      }
      await session.call(CatalogService.method.describe, describeNothing);
    },
  ),
  wire(
    "session.any-order",
    "A call whose request isn't whole yet holds up no call that begins after it.",
    keeps,
    async (kit) => {
      const made = await kit.make(1);
      const session = kit.session();
      const call = session.next();
      const message = getOf(kit, made);
      await session.begin(call, { method: get }, message, message.length - 3);
      for (let count = 0; count < 20; count++) await session.call(CatalogService.method.describe, describeNothing);
      session.send({ call, frame: { case: "chunk", value: { data: message.subarray(-3) } } });
      await session.result(call);
    },
  ),
  wire(
    "session.credit",
    "The store sends no more of its answers than it is allowed, and goes on when it is allowed more.",
    keeps,
    async (kit) => {
      const made = await kit.make("x".repeat(Math.min(largeBytes, kit.subject.maxObjectBytes - 10_000)));
      const allowed = 100_000;
      const session = kit.session({ onlyBytes: allowed });
      const call = session.next();
      await session.begin(call, { method: get }, getOf(kit, made));
      await session.until(() => session.bytes >= allowed, `${allowed} bytes of an answer`);
      await pause(quietMs);
      same(session.bytes, allowed, "bytes of an answer without a credit");
      // Who is not given credit holds up nobody else.
      await kit.get(made.key);
      await kit.get(made.key, kit.bySession());
      session.send({ frame: { case: "credit", value: { bytes: 1024 * 1024 } } });
      await session.result(call);
    },
  ),
  wire(
    "session.deadline",
    "A call by session ends with DEADLINE_EXCEEDED when its deadline comes before its request is whole.",
    keeps,
    async (kit) => {
      const made = await kit.make(1);
      const session = kit.session();
      const call = session.next();
      await session.begin(call, { method: get, timeoutMs: deadlineMs }, getOf(kit, made), 5);
      await refused(session.result(call), Code.DeadlineExceeded, "a call that isn't whole in time");
      await session.call(CatalogService.method.describe, describeNothing);
    },
  ),
  wire(
    "session.cancelled",
    "Calls that are cancelled, whole or not, leave the session, its credit and other calls unharmed.",
    keeps,
    async (kit) => {
      const made = await kit.make(1);
      const session = kit.session();
      const steady = async () => {
        const { object } = await session.call(StoreService.method.get, getMessage(kit, made));
        same(object?.revision, made.revision, "the answer of a call that went on");
      };
      // More bytes than the store allows at first: it must allow them anew though nobody waits for the answers.
      const cancelled = async () => {
        const part = new Uint8Array(partBytes);
        for (let count = 0; count < 60; count++) {
          const call = session.next();
          if (count % 3 === 0) await session.begin(call, { method: get }, getOf(kit, made));
          else await session.begin(call, { method: get }, part, partBytes - 1);
          session.send({ call, frame: { case: "cancel", value: {} } });
        }
      };
      await Promise.all([...Array.from({ length: 50 }, steady), cancelled()]);
      await session.call(StoreService.method.get, getMessage(kit, made));
    },
  ),
  wire(
    "session.end",
    "A session ends when its caller has ended it, and another can be opened.",
    offered,
    async (kit) => {
      const session = kit.session();
      await session.call(CatalogService.method.describe, describeNothing);
      same((await session.end())?.code, undefined, "the code of a session that its caller ended");
      await kit.session().call(CatalogService.method.describe, describeNothing);
    },
  ),
];

/** Checked late: they ask the most. */
export const bySessionPromises = [
  wire(
    "session.many",
    "Hundreds of calls in flight are all answered, each with its own answer.",
    keeps,
    async (kit) => {
      const made = await Promise.all(Array.from({ length: 30 }, (_, at) => kit.make("x".repeat(at * 1_000))));
      const { endpoint } = kit.bySession();
      await Promise.all(
        Array.from({ length: 600 }, async (_, at) => {
          const one = made[(at * 7) % made.length] as Made;
          if (at % 10 === 0)
            return await refused(
              kit.get(kit.key(`no-${at}`), { endpoint }),
              Code.NotFound,
              "a get of a missing object",
            );
          const { object } = await kit.get(one.key, { endpoint });
          same([object.key?.name, object.revision], [one.key.name, one.revision], `the answer to get ${one.key.name}`);
          return undefined;
        }),
      );
    },
  ),
  wire(
    "session.max-calls",
    "One call more than the store's hello allows is RESOURCE_EXHAUSTED, and the others go on.",
    keeps,
    async (kit) => {
      const made = await kit.make(1);
      const session = kit.session();
      await session.until(() => session.frames.length > 0, "the store's hello");
      const hello = session.frames[0]?.frame;
      const maxCalls = (hello?.case === "hello" && hello.value.maxCalls) || defaultMaxCalls;
      const message = getOf(kit, made);
      const calls = Array.from({ length: Math.min(maxCalls, mostCalls) }, () => session.next());
      for (const call of calls) await session.begin(call, { method: get }, message, message.length - 3);
      const more = session.call(StoreService.method.get, getMessage(kit, made));
      if (maxCalls > mostCalls) await more;
      else await refused(more, Code.ResourceExhausted, `call ${maxCalls + 1} where ${maxCalls} are allowed`);
      for (const call of calls) session.send({ call, frame: { case: "chunk", value: { data: message.subarray(-3) } } });
      for (const call of calls) await session.result(call);
      await session.call(StoreService.method.get, getMessage(kit, made));
    },
  ),
  wire(
    "session.parts",
    "Requests and answers of many parts come whole, in parts of at most 64 KiB.",
    updates,
    async (kit) => {
      const bytes = Math.min(largeBytes, kit.subject.maxObjectBytes - 10_000);
      const { endpoint, session } = kit.bySession();
      const made = await Promise.all(
        Array.from({ length: 6 }, (_, at) => kit.make(`${at}`.repeat(bytes), { endpoint })),
      );
      for (const one of made) same((await kit.get(one.key)).object.json, one.json, "the object that was written");
      const read = await Promise.all(made.map((one) => kit.get(one.key, { endpoint })));
      for (const [at, { object }] of read.entries()) same(object.json, made[at]?.json, "the object that is read");
      const sizes = session.frames.map(({ frame }) =>
        frame.case === "chunk"
          ? frame.value.data.length
          : frame.case === "result"
            ? (frame.value.answer?.data.length ?? 0)
            : 0,
      );
      hold(Math.max(...sizes) <= partBytes, `a part of an answer has ${Math.max(...sizes)} bytes`);
    },
  ),
  again("session.creates", "What is promised of creates holds by session.", createPromises),
  again("session.updates", "What is promised of updates holds by session.", updatePromises),
  again("session.deletes", "What is promised of deletes holds by session.", deletePromises),
  again("session.dry-runs", "What is promised of dry runs holds by session.", dryRunPromises),
  again("session.codes", "What is promised of refusals holds by session.", codePromises),
];

/** A promise that others hold with every unary call by session. */
function again(name: string, text: string, promises: readonly ContractPromise[]): ContractPromise {
  return wire(name, text, keeps, async (kit) => {
    const { parts, subject } = kit;
    const applying = promises.filter(
      ({ needs }) =>
        needs.offers === undefined &&
        !needs.replicas &&
        !needs.process &&
        lackOf(needs, subject, parts.subjects, parts.description) === undefined,
    );
    for (const [at, promise] of applying.entries()) {
      const { endpoint } = kit.bySession();
      const own = new Kit({ ...parts, endpoints: [endpoint], space: `${parts.space}${at}s` });
      try {
        await promise.check(own);
      } catch (error) {
        const seen = error instanceof Broken ? error.message : ConnectError.from(error).message;
        throw new Broken(`${promise.name}: ${seen}`);
      } finally {
        own.close();
      }
    }
  });
}

const describeNothing = create(DescribeRequestSchema, {});

function getMessage(kit: Kit, made: Made) {
  return create(GetRequestSchema, { context: kit.context(), resource: made.about.ref, key: made.key });
}

const getOf = (kit: Kit, made: Made): Uint8Array => toBinary(GetRequestSchema, getMessage(kit, made));

/** How a call failed, as values. */
async function failureOf(call: Promise<unknown>): Promise<unknown> {
  try {
    await call;
    return "no error";
  } catch (error) {
    const failure = ConnectError.from(error);
    const [detail] = failure.findDetails(ErrorDetailSchema);
    const { reason, causes, current } = detail ?? {};
    return [nameOf(failure.code), detail !== undefined, reason, causes, current?.revision, text(current?.json)];
  }
}
