/**
 * What must hold for a write beside the caller's rights: so far, that its namespace is there and stays.
 *
 * kube-apiserver runs none of its own admission for an aggregated API, so what its users take for
 * granted has to be done here. Absent until they are needed: webhooks and policies of the cluster.
 * Source: apiserver pkg/server/plugins.go.
 */
export { createNamespaceLifecycle, type NamespaceLifecycle } from "./namespace-lifecycle.ts";

/** A write that asks to be admitted. */
export interface AdmissionRequest {
  readonly operation: "CREATE" | "UPDATE";
  readonly group: string;
  readonly plural: string;
  /** `""`: of the cluster. */
  readonly namespace: string;
  /** The object's name, what it is generated from, or `""`. */
  readonly name: string;
}

/** Lets a write pass. @throws StatusError if it may not. */
export type Admit = (request: AdmissionRequest) => Promise<void>;

/** Lets everything pass. */
export const admitAll: Admit = async () => {};
