/** Waits for a revision that a client has seen elsewhere and the store may not have reached. */
import { tooLargeResourceVersion } from "../apimachinery/status.ts";
import type { ResourceClient } from "../registry/registry.ts";
import { callOf, type VerbRequest } from "./verb-request.ts";

/** How long a read waits, as kube-apiserver, and how often it looks. */
const reachTimeoutMs = 3_000;
const reachEveryMs = 100;

/** Waits for a revision. @throws StatusError 504 after three seconds. */
export async function reach(client: ResourceClient, request: VerbRequest, wanted: bigint): Promise<void> {
  const until = performance.now() + reachTimeoutMs;
  for (;;) {
    const { revision: head } = await client.currentRevision(callOf(request));
    if (head >= wanted) return;
    if (performance.now() + reachEveryMs > until) throw tooLargeResourceVersion(wanted, head);
    await new Promise<void>((resolve) => setTimeout(resolve, reachEveryMs));
  }
}
