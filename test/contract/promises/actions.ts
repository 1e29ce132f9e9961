/**
 * What is promised of actions: custom subresources and imperative kinds.
 *
 * Nobody but the store knows what an action means, so a refusal is as good as an answer: it must be
 * one that the contract has. Actions are tried on objects of the promise's own.
 */
import { Code, ConnectError } from "@connectrpc/connect";
import type { InvokeResponse } from "../../../gen/annex/store/v1/action_pb.js";
import { SubresourceKind } from "../../../gen/annex/store/v1/catalog_pb.js";
import { codeOf, type Endpoint, type Kit, type Made, nameOf, refused } from "../kit.ts";
import { Broken, hold, promisesOf, same } from "../promise.ts";

const verbs = promisesOf("verbs");
const unary = { verbs: "create get", action: "unary" } as const;
const imperative = { action: "create" } as const;
/** Codes that tell a client something. UNIMPLEMENTED isn't among them: the description would have lied. */
const refusals: ReadonlySet<Code> = new Set([
  Code.NotFound,
  Code.AlreadyExists,
  Code.Aborted,
  Code.InvalidArgument,
  Code.PermissionDenied,
  Code.ResourceExhausted,
  Code.Unavailable,
  Code.DeadlineExceeded,
]);

export const actionPromises = [
  verbs(
    "action.answer",
    "A declared subresource answers each of its methods, or refuses with a code of the contract.",
    unary,
    async (kit) => {
      for (const { name, method } of methodsOf(kit)) {
        const answer = await answerOf(invoke(kit, await kit.make(1), name, method));
        if (answer !== undefined) holdAnswer(answer, `${method} ${name}`);
      }
    },
  ),
  verbs("action.undeclared", "A subresource that isn't declared is UNIMPLEMENTED.", unary, async (kit) => {
    const made = await kit.make(1);
    await refused(invoke(kit, made, "nobodys", "POST"), Code.Unimplemented, "an undeclared subresource");
  }),
  verbs(
    "action.unknown-resource",
    "An action of a resource that isn't described is UNIMPLEMENTED.",
    unary,
    async (kit) => {
      const made = await kit.make(1);
      const [{ name, method } = { name: "", method: "" }] = methodsOf(kit);
      const resource = { ...kit.subject.ref, plural: "nobodys", subresource: name };
      await refused(
        kit.endpoint.action.invoke({ context: kit.context(), resource, key: made.key, httpMethod: method }),
        Code.Unimplemented,
        "an action of an unknown resource",
      );
    },
  ),
  verbs("action.dry-run", "An action that is tried changes nothing.", { ...unary, has: ["DRY_RUN"] }, async (kit) => {
    for (const { name, method } of methodsOf(kit)) {
      const made = await kit.make(1);
      await answerOf(invoke(kit, made, name, method, { dryRun: true }));
      const { object } = await kit.get(made.key);
      same(object.revision, made.revision, `the revision after a dry run of ${method} ${name}`);
    }
  }),
  verbs(
    "action.dry-run-refused",
    "An action can't be tried where dry runs aren't declared: it is UNIMPLEMENTED, and changes nothing.",
    { ...unary, lacks: ["DRY_RUN"] },
    async (kit) => {
      for (const { name, method } of methodsOf(kit)) {
        const made = await kit.make(1);
        const tried = invoke(kit, made, name, method, { dryRun: true });
        await refused(tried, Code.Unimplemented, `a dry run of ${method} ${name}`);
        same((await kit.get(made.key)).object.revision, made.revision, "the revision after a dry run");
      }
    },
  ),
  verbs(
    "action.by-session",
    "An action by session is answered as by RPC.",
    { ...unary, offers: "session" },
    async (kit) => {
      const { endpoint } = kit.bySession();
      for (const { name, method } of methodsOf(kit)) {
        const shape = async (by?: Endpoint) => shapeOf(invoke(kit, await kit.make(1), name, method, { by }));
        same(await shape(endpoint), await shape(), `${method} ${name} by session`);
      }
      const made = await kit.make(1);
      const stray = (by?: Endpoint) => codeOf(invoke(kit, made, "nobodys", "POST", { by }));
      same(nameOf(await stray(endpoint)), nameOf(await stray()), "an undeclared subresource by session");
    },
  ),
  verbs(
    "action.at-once",
    "Actions at once, some of them cancelled, are all answered, and so are other calls.",
    unary,
    async (kit) => {
      const [{ name, method } = { name: "", method: "" }] = methodsOf(kit);
      const made = await kit.make(1);
      await Promise.all(
        Array.from({ length: 60 }, async (_, at) => {
          const isCancelled = at % 3 === 0;
          const stop = new AbortController();
          const call = invoke(kit, made, name, method, { signal: stop.signal });
          // Some before they are sent, some on their way or under way.
          if (isCancelled) setTimeout(() => stop.abort(), at / 6);
          await (isCancelled ? codeOf(call) : answerOf(call));
          await kit.get(made.key);
        }),
      );
    },
  ),
  verbs(
    "imperative.create",
    "A create of an imperative kind answers with an object of the kind, or refuses with a code of the contract.",
    imperative,
    async (kit) => {
      const answer = await answerOf(create(kit, false));
      if (answer === undefined) return;
      const { kind } = holdAnswer(answer, "the create") as { kind?: unknown };
      same(kind, kit.subject.resource.kind, "the kind of the answer");
    },
  ),
  verbs(
    "imperative.dry-run",
    "A create of an imperative kind that is tried answers as one that isn't.",
    { ...imperative, has: ["DRY_RUN"] },
    async (kit) => {
      const answer = await answerOf(create(kit, true));
      if (answer !== undefined) holdAnswer(answer, "the dry run");
    },
  ),
  verbs(
    "imperative.dry-run-refused",
    "A create of an imperative kind can't be tried where dry runs aren't declared: it is UNIMPLEMENTED.",
    { ...imperative, lacks: ["DRY_RUN"] },
    async (kit) => {
      await refused(create(kit, true), Code.Unimplemented, "a dry run");
    },
  ),
];

/** Each method of each unary subresource. */
function methodsOf(kit: Kit): readonly { readonly name: string; readonly method: string }[] {
  return kit.subject.resource.subresources
    .filter(({ kind }) => kind === SubresourceKind.UNARY)
    .flatMap(({ name, httpMethods }) => httpMethods.map((method) => ({ name, method })));
}

interface InvokeOptions {
  readonly dryRun?: boolean;
  readonly signal?: AbortSignal;
  readonly by?: Endpoint | undefined;
}

async function invoke(kit: Kit, made: Made, name: string, method: string, options: InvokeOptions = {}) {
  const { dryRun = false, signal, by = kit.endpoint } = options;
  const { key, revision, uid, json } = made;
  const declared = made.about.resource.subresources.find((one) => one.name === name);
  const hasBody = method !== "GET" && method !== "DELETE";
  const request = {
    context: kit.context(),
    resource: { ...made.about.ref, subresource: name },
    key,
    httpMethod: method,
    ...(hasBody
      ? { contentType: declared?.acceptedContentTypes[0] ?? "application/json", body: Buffer.from("{}") }
      : {}),
    dryRun,
    parent: { key, revision, uid, json },
  };
  return await by.action.invoke(request, signal === undefined ? {} : { signal });
}

async function create(kit: Kit, dryRun: boolean) {
  const key = { ...kit.key(), name: "" };
  const body = kit.json({ ...key, name: "tried" }, 1);
  const request = { context: kit.context(), resource: kit.subject.ref, key, httpMethod: "POST", body, dryRun };
  return await kit.endpoint.action.invoke({ ...request, contentType: "application/json" });
}

/** Gives an answer; undefined if it was refused as the contract says. @throws Broken if otherwise. */
async function answerOf(call: Promise<InvokeResponse>): Promise<InvokeResponse | undefined> {
  try {
    return await call;
  } catch (error) {
    const { code, rawMessage } = ConnectError.from(error);
    if (refusals.has(code)) return undefined;
    throw new Broken(`it failed with ${nameOf(code)} (${rawMessage})`);
  }
}

/** @throws Broken unless it can be passed on to a client. Gives what it says, if that is JSON. */
function holdAnswer({ httpStatus, contentType, body }: InvokeResponse, what: string): unknown {
  const isStatus = httpStatus === 0 || (httpStatus >= 200 && httpStatus < 600);
  hold(isStatus && Math.floor(httpStatus / 100) !== 3, `${what} answers with HTTP ${httpStatus}`);
  const isJson = contentType === "" || /^application\/json\b/.test(contentType);
  return isJson && body.length > 0 ? (JSON.parse(Buffer.from(body).toString()) as unknown) : undefined;
}

async function shapeOf(call: Promise<InvokeResponse>): Promise<unknown> {
  const answer = await answerOf(call);
  return answer === undefined ? "refused" : [answer.httpStatus, answer.contentType, answer.body.length > 0];
}
