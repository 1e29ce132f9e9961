/** The store that is called: its objects are as long as their names say, and one of them is never given. */
import { Scope, Verb } from "../../../gen/annex/store/v1/catalog_pb.js";
import { type ResourceDescription, runStore } from "../../../stores/sdk/sdk.ts";

const revision = 7n;
const things = {
  group: "bench.annex.dev",
  kind: "Thing",
  plural: "things",
  scope: Scope.NAMESPACED,
  storageVersion: "v1",
  versions: [{ name: "v1", served: true }],
  verbs: [Verb.GET],
} as unknown as ResourceDescription;
const objects = new Map<string, Uint8Array>();

function objectOf(name: string): Uint8Array {
  let json = objects.get(name);
  if (json === undefined) {
    json = Buffer.alloc(Number(name), 0x20);
    objects.set(name, json);
  }
  return json;
}

async function hang(signal: AbortSignal): Promise<never> {
  return await new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
}

process.once("disconnect", () => process.exit());
process.exitCode = await runStore({
  implementation: "bench",
  version: "0",
  epoch: () => "e",
  revisionScope: "store",
  resources: [things],
  async get(call) {
    const { namespace, name } = call.key;
    if (name === "hangs") await hang(call.signal);
    return { namespace, name, revision, uid: "u", json: objectOf(name) };
  },
  async currentRevision() {
    return { revision };
  },
});
process.disconnect?.();
