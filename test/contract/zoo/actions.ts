/** Mutants whose actions, streams or hooks do something else than they declare. */
import type { StreamCall, StreamOutput } from "../../../stores/sdk/sdk.ts";
import { type ActiveStore, activeStore } from "./honest.ts";
import { type Mutant, mutant as mutantOf, pause } from "./mutant.ts";

function mutant(
  name: string,
  does: string,
  seen: string,
  breaks: readonly string[],
  change: (honest: ActiveStore) => Partial<ActiveStore>,
): Mutant {
  return mutantOf(name, does, seen, breaks, (honest) => change(honest as ActiveStore), activeStore);
}

/** Gives other output than what a client sends. */
const streaming = (output: (call: StreamCall) => AsyncGenerator<StreamOutput, number>) => ({
  stream: async (call: StreamCall) => ({ output: output(call) }),
});

const parsed = (json: Uint8Array) => JSON.parse(Buffer.from(json).toString());
const written = (value: unknown) => Buffer.from(JSON.stringify(value));

export const actionMutants: readonly Mutant[] = [
  mutant(
    "redirecting-action",
    "sends who pokes to another place",
    "contract: an action is never answered with a redirect",
    ["action.answer"],
    () => ({ invoke: async () => ({ httpStatus: 302, body: written({}) }) }),
  ),
  mutant(
    "acting-dry-run",
    "does what it is only to try",
    "rancher#56315: a dry run with an effect",
    ["action.dry-run"],
    (honest) => ({
      async invoke(call) {
        const { parent } = call;
        if (call.dryRun && parent !== undefined && call.httpMethod === "POST") {
          const preconditions = { revision: parent.revision };
          await honest.update({ ...call, ...parent, dryRun: false, requestId: "", preconditions });
        }
        return await honest.invoke(call);
      },
    }),
  ),
  mutant(
    "ten-actions",
    "fails where more than ten actions are under way",
    "contract: what is too much at once is RESOURCE_EXHAUSTED",
    ["action.at-once"],
    (honest) => {
      let busy = 0;
      return {
        async invoke(call) {
          if (busy >= 10) throw new Error("no worker is free");
          busy += 1;
          await pause(1);
          busy -= 1;
          return await honest.invoke(call);
        },
      };
    },
  ),
  mutant(
    "another-kind",
    "answers a create of an imperative kind with a Status",
    "contract: a create of an imperative kind answers with an object",
    ["imperative.create"],
    (honest) => ({
      invoke: async (call) =>
        call.subresource === ""
          ? { body: written({ kind: "Status", apiVersion: "v1", status: "Success" }) }
          : await honest.invoke(call),
    }),
  ),
  mutant(
    "unasked-protocol",
    "speaks a subprotocol that the client didn't offer",
    "contract: StreamAccept is one of those offered",
    ["stream.accept"],
    (honest) => ({ stream: async (call) => ({ ...(await honest.stream(call)), protocol: "channel.k8s.io" }) }),
  ),
  mutant(
    "endless-stream",
    "goes on with a stream whose client has closed",
    "contract: each side ends with close",
    ["stream.close"],
    () =>
      streaming(async function* ({ signal }) {
        while (!signal.aborted) {
          await pause(20);
          yield { data: Buffer.from("tick\n") };
        }
        return 0;
      }),
  ),
  mutant(
    "stdin-is-all",
    "breaks a stream when the client has nothing more to send",
    "kubernetes#89899: output lost where stdin ends",
    ["stream.half-close"],
    () =>
      streaming(async function* ({ input }) {
        for await (const one of input) {
          if ("data" in one) yield { data: one.data };
          if ("end" in one) throw new Error("stdin has ended");
        }
        return 0;
      }),
  ),
  mutant(
    "locked-stream",
    "holds its lock while a stream's output is taken",
    "rancher#56315: a send under the lock",
    ["stream.back-pressure"],
    (honest) => {
      let sending = 0;
      const free = async () => {
        while (sending > 0) await pause(5);
      };
      return {
        ...streaming(async function* ({ input, signal }) {
          for await (const one of input) {
            if (!("data" in one)) continue;
            sending += 1;
            const unlock = () => {
              sending = 0;
            };
            signal.addEventListener("abort", unlock, { once: true });
            yield { data: one.data };
            signal.removeEventListener("abort", unlock);
            sending -= 1;
          }
          return 0;
        }),
        async get(call) {
          await free();
          return await honest.get(call);
        },
      };
    },
  ),
  mutant(
    "one-stream-for-ever",
    "takes a stream that was cancelled for one that is still open, and has room for twenty",
    "contract: a call that is cancelled ends",
    ["stream.cancelled"],
    (honest) => {
      let room = 20;
      return {
        async stream(call) {
          room -= 1;
          if (room < 0) return await new Promise(() => {});
          return await honest.stream(call);
        },
      };
    },
  ),
  mutant(
    "renaming-mutate",
    "gives an object another name when it mutates it",
    "contract: a hook changes no identity",
    ["hook.mutate"],
    () => ({
      async mutate({ json }) {
        const object = parsed(json);
        return { json: written({ ...object, metadata: { ...object.metadata, name: "another" } }) };
      },
    }),
  ),
  mutant(
    "lenient-dry-run",
    "validates nothing that is only tried",
    "rancher#56315: a dry run that takes what the write refuses",
    ["hook.validate"],
    () => ({
      validate: async ({ dryRun }) =>
        dryRun ? {} : { causes: [{ reason: "FieldValueInvalid", message: "never", field: "spec" }] },
    }),
  ),
  mutant(
    "unversioned-convert",
    "converts everything but the apiVersion",
    "apiextensions: returned invalid converted object",
    ["hook.convert"],
    () => ({ convert: async ({ objects }) => objects.map((json) => written(parsed(json))) }),
  ),
  mutant(
    "unordered-batches",
    "converts a large batch in parts, and gives them as they are done",
    "KEP-95: objects of a conversion in the order of the request",
    ["hook.convert-batches"],
    (honest) => ({
      async convert(call) {
        const half = call.objects.length > 100 ? 100 : 0;
        return await honest.convert({
          ...call,
          objects: [...call.objects.slice(half), ...call.objects.slice(0, half)],
        });
      },
    }),
  ),
  mutant(
    "short-rows",
    "leaves out cells that are empty",
    "contract: one cell for each column",
    ["hook.tabulate"],
    () => ({ tabulate: async ({ objects }) => objects.map(() => []) }),
  ),
  mutant(
    "sorted-rows",
    "sorts the rows of a table by their cells",
    "contract: rows in the order of the objects",
    ["hook.tabulate-batches"],
    (honest) => ({
      tabulate: async (call) => [...(await honest.tabulate(call))].sort((a, b) => (String(a) < String(b) ? -1 : 1)),
    }),
  ),
  mutant(
    "declared-convert",
    "declares that it converts, and doesn't",
    "contract: Describe must not lie",
    ["hook.convert"],
    () => ({ convert: undefined as never }),
  ),
];
