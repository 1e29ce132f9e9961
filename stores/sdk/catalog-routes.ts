/**
 * What a store is: its description under a digest, and its status with what the gateway refused.
 */
import { createHash } from "node:crypto";
import { create, toBinary } from "@bufbuild/protobuf";
import type { ConnectRouter } from "@connectrpc/connect";
import {
  CatalogService,
  type DescribeResponse,
  DescribeResponseSchema,
  type RefusedResource,
  RevisionScope,
  StoreState,
} from "../../gen/annex/store/v1/catalog_pb.js";
import { unavailable } from "./errors.ts";
import type { ServingState } from "./serving-state.ts";
import type { Store, StoreHealth } from "./store.ts";

/** Largest message that is taken: an object of the largest size, and room for what is around it. */
export const maxMessageBytes = 16 * 1024 * 1024;

const states: Readonly<Record<StoreHealth["state"], StoreState>> = {
  ready: StoreState.READY,
  starting: StoreState.STARTING,
  degraded: StoreState.DEGRADED,
};

/** Registers CatalogService. */
export function catalogRoutes(store: Store, state: ServingState): (router: ConnectRouter) => void {
  const current = describer(store);
  let refused: readonly RefusedResource[] = [];

  function takeRefused(said: readonly RefusedResource[]): void {
    const isNew = said.length !== refused.length || said.some((one, index) => one.reason !== refused[index]?.reason);
    refused = said;
    if (!isNew || said.length === 0) return;
    const shown = said.map(({ group, plural, reason }) => ({ group, plural, reason }));
    state.log({ refused: shown }, "the gateway refuses resources");
  }

  return (router) => {
    router.service(CatalogService, {
      async describe({ ifNotDigest, gateway }) {
        if (gateway !== undefined && gateway.notBelow > 0n) await store.notBelow?.(gateway.notBelow);
        const description = current();
        const { digest } = description;
        if (ifNotDigest === digest) return create(DescribeResponseSchema, { digest, notModified: true });
        return create(DescribeResponseSchema, { ...description, epoch: store.epoch() });
      },
      async *watchDescription({ gateway }, { signal }) {
        if (gateway !== undefined && gateway.notBelow > 0n) await store.notBelow?.(gateway.notBelow);
        const ended = AbortSignal.any([signal, state.stopping]);
        let told = "";
        for await (const description of changes(store, current, ended)) {
          if (description.digest === told) continue;
          told = description.digest;
          yield { description: { ...description, epoch: store.epoch() } };
        }
        if (!signal.aborted) throw unavailable("the store stops");
      },
      status({ applied }) {
        const description = current();
        if (applied?.digest === description.digest) takeRefused(applied.refused);
        const health = store.health?.() ?? { state: "ready", message: "" };
        return {
          state: states[health.state],
          message: health.message,
          epoch: store.epoch(),
          digest: description.digest,
          refused: [...refused],
        };
      },
    });
  };
}

/** Gives the function that describes the store as it is now. Made anew only when its resources are other ones. */
function describer(store: Store): () => DescribeResponse {
  let made = { resources: store.resources, description: describe(store) };
  return () => {
    if (store.resources !== made.resources) made = { resources: store.resources, description: describe(store) };
    return made.description;
  };
}

/** The present description, and again whenever the store says that it changed, until the signal. */
async function* changes(
  store: Store,
  current: () => DescribeResponse,
  signal: AbortSignal,
): AsyncGenerator<DescribeResponse> {
  let wake = (): void => {};
  let isDue = true;
  const notice = (): void => {
    isDue = true;
    wake();
  };
  const stopListening = store.onResourcesChange?.(notice);
  signal.addEventListener("abort", notice, { once: true });
  try {
    while (!signal.aborted) {
      if (isDue) {
        isDue = false;
        yield current();
      } else await new Promise<void>((resolve) => (wake = resolve));
    }
  } finally {
    signal.removeEventListener("abort", notice);
    stopListening?.();
  }
}

function describe(store: Store): DescribeResponse {
  const description = create(DescribeResponseSchema, {
    implementation: store.implementation,
    implementationVersion: store.version,
    minors: [0],
    revisionScope: store.revisionScope === "store" ? RevisionScope.STORE : RevisionScope.RESOURCE,
    maxMessageBytes: BigInt(maxMessageBytes),
    resources: [...store.resources],
  });
  description.digest = createHash("sha256").update(toBinary(DescribeResponseSchema, description)).digest("hex");
  return description;
}
