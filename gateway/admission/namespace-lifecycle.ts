/**
 * Refuses writes into namespaces that are missing, and creations in namespaces that are going: else
 * one might never be empty. Deletes pass, and so does what belongs to no namespace.
 *
 * Namespaces are followed by a watch; who isn't known yet is waited for a moment and then asked for,
 * because a client may create a namespace and an object in it in one breath. Absent: the forced
 * look-ups after a namespace's deletion, which kube-apiserver sees and this server doesn't. What slips
 * in before the watch has told is found by the namespace controller, which looks until nothing is left.
 * Source: apiserver pkg/admission/plugin/namespace/lifecycle/admission.go.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { forbidden, internalError, notFound, StatusError } from "../apimachinery/status.ts";
import { createInformer, type KubeClient, KubeError, type KubeObject } from "../kubeclient/kubeclient.ts";
import type { AdmissionRequest, Admit } from "./admission.ts";

/** What it needs. */
export interface NamespaceLifecycleOptions {
  readonly client: Pick<KubeClient, "request" | "lines">;
  readonly random: () => number;
  readonly log: { info(fields: object, message: string): void; warn(fields: object, message: string): void };
  /** Pauses. Default: real ones. */
  readonly pause?: (ms: number) => Promise<void>;
}

/** Follows namespaces until `close`. */
export interface NamespaceLifecycle {
  readonly admit: Admit;
  close(): void;
}

/** A watch may be this far behind. */
const missingWaitMs = 50;
/** How long a start may take before writes are refused. */
const readyWaitMs = 10_000;

/** Begins to follow the host cluster's namespaces. */
export function createNamespaceLifecycle(options: NamespaceLifecycleOptions): NamespaceLifecycle {
  const { client, random, log, pause = async (ms) => void (await sleep(ms, undefined, { ref: false })) } = options;
  const informer = createInformer({ client, path: "/api/v1/namespaces", random, log });

  async function isReady(): Promise<boolean> {
    if (informer.isSynced) return true;
    const whole = informer.synced().catch(() => {});
    await Promise.race([whole, pause(readyWaitMs)]);
    return informer.isSynced;
  }

  async function namespaceOf({ operation, namespace }: AdmissionRequest): Promise<KubeObject> {
    let found = informer.objects.get(namespace);
    if (found === undefined && operation === "CREATE") {
      await pause(missingWaitMs);
      found = informer.objects.get(namespace);
    }
    return found ?? (await askFor(namespace));
  }

  async function askFor(namespace: string): Promise<KubeObject> {
    const path = `/api/v1/namespaces/${encodeURIComponent(namespace)}`;
    try {
      return (await client.request({ method: "GET", path })) as unknown as KubeObject;
    } catch (error) {
      if (!(error instanceof KubeError)) throw error;
      if (error.code === 404) throw notFound({ group: "", word: "namespaces" }, namespace);
      throw internalError("the namespace can't be looked up", { cause: error });
    }
  }

  return {
    async admit(request) {
      if (request.namespace === "") return;
      if (!(await isReady())) throw refused(request, "not yet ready to handle request");
      const { status } = await namespaceOf(request);
      const isGoing = (status as { phase?: unknown } | undefined)?.phase === "Terminating";
      if (request.operation === "CREATE" && isGoing) throw terminating(request);
    },
    close: () => informer.close(),
  };
}

function refused({ group, plural, name }: AdmissionRequest, why: string): StatusError {
  return forbidden({ group, word: plural }, name || "Unknown", why);
}

function terminating(request: AdmissionRequest): StatusError {
  const { namespace } = request;
  const why = `unable to create new content in namespace ${namespace} because it is being terminated`;
  const { status } = refused(request, why);
  const message = `namespace ${namespace} is being terminated`;
  const causes = [{ reason: "NamespaceTerminating", message, field: "metadata.namespace" }];
  return new StatusError({ ...status, details: { ...status.details, causes } });
}
