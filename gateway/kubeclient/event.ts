/**
 * Events of the host cluster: what people read with `kubectl describe` and `kubectl get events`.
 *
 * Each is an object of its own: nothing is counted up, so nothing has to be remembered. The cluster
 * forgets them after an hour.
 * Source: core/v1 Event; client-go tools/record; kubernetes pkg/apis/core/validation/events.go.
 */
import type { KubeClient } from "./kubeclient.ts";

/** What happened to what. */
export interface KubeEvent {
  readonly type: "Normal" | "Warning";
  readonly reason: string;
  readonly message: string;
  /** Who says so, a qualified name: `annex.dev/widgets`. */
  readonly component: string;
  readonly about: {
    readonly apiVersion: string;
    readonly kind: string;
    /** `""`: cluster-scoped. */
    readonly namespace: string;
    readonly name: string;
    /** `""`: not known. */
    readonly uid: string;
  };
}

/** What an event is written with. */
export interface EventOptions {
  readonly client: Pick<KubeClient, "request">;
  readonly clock: () => Date;
  readonly uuid: () => string;
}

/** Writes an event. Its account needs to create `events`. @throws KubeError. */
export async function writeEvent(event: KubeEvent, { client, clock, uuid }: EventOptions): Promise<void> {
  const { type, reason, message, component, about } = event;
  const namespace = about.namespace || "default";
  const time = `${clock().toISOString().slice(0, 19)}Z`;
  const body = {
    apiVersion: "v1",
    kind: "Event",
    metadata: { name: uuid(), namespace },
    involvedObject: { ...about },
    ...{ type, reason, message, source: { component } },
    ...{ firstTimestamp: time, lastTimestamp: time, count: 1 },
    reportingComponent: component,
    reportingInstance: "",
  };
  await client.request({ method: "POST", path: `/api/v1/namespaces/${encodeURIComponent(namespace)}/events`, body });
}
