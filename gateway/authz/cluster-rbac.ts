/**
 * Roles and bindings of the host cluster, followed by watches.
 *
 * Its own controller fills in aggregated ClusterRoles, so rules are taken as they stand. What can't
 * be read of an object gives nothing: a rule allows by what it says. Until all four collections were
 * read once there are no rules, and nobody is allowed anything by them.
 */
import { createInformer, type Informer, type KubeClient, type KubeObject } from "../kubeclient/kubeclient.ts";
import { createRbacRules, type RbacLookup } from "./rbac.ts";
import type { Binding, PolicyRule, RbacObject, Role, Subject } from "./rbac-objects.ts";

/** What it needs. */
export interface ClusterRbacOptions {
  readonly client: Pick<KubeClient, "request" | "lines">;
  readonly random: () => number;
  readonly log: { info(fields: object, message: string): void; warn(fields: object, message: string): void };
  /** Pauses. Default: real ones. */
  readonly pause?: (ms: number, signal: AbortSignal) => Promise<void>;
}

/** Rules that follow the cluster until `close`. */
export interface ClusterRbac {
  readonly rules: RbacLookup;
  /** Resolves when the rules are whole; rejects when it is closed before. */
  synced(): Promise<void>;
  close(): void;
}

const collections = {
  ClusterRole: "clusterroles",
  ClusterRoleBinding: "clusterrolebindings",
  Role: "roles",
  RoleBinding: "rolebindings",
} as const;
type Kind = keyof typeof collections;

/** Begins to follow. What goes wrong is logged and tried again. */
export function followClusterRbac(options: ClusterRbacOptions): ClusterRbac {
  const followed = createRbacRules();
  const none = createRbacRules();
  const informers = (Object.keys(collections) as Kind[]).map((kind) =>
    createInformer({
      ...options,
      path: `/apis/rbac.authorization.k8s.io/v1/${collections[kind]}`,
      onChange(changes) {
        for (const { before, after } of changes) {
          if (after !== undefined) followed.put(rbacObjectFrom(kind, after));
          else if (before !== undefined) followed.remove(rbacObjectFrom(kind, before));
        }
      },
    }),
  );
  const now = () => (informers.every((informer: Informer) => informer.isSynced) ? followed : none);
  return {
    rules: {
      bindingsOf: (user, namespace) => now().bindingsOf(user, namespace),
      allBindingsOf: (user) => now().allBindingsOf(user),
      role: (kind, namespace, name) => now().role(kind, namespace, name),
    },
    async synced() {
      await Promise.all(informers.map((informer) => informer.synced()));
    },
    close() {
      for (const informer of informers) informer.close();
    },
  };
}

/** Reads an object as the host cluster serves it. */
export function rbacObjectFrom(kind: Kind, object: KubeObject): RbacObject {
  const { name, namespace = "" } = object.metadata;
  if (kind === "Role" || kind === "ClusterRole") {
    const rules = listOf(object["rules"]).map(ruleFrom);
    return { kind, name, namespace, labels: new Map(), rules, aggregate: [] } satisfies Role;
  }
  const roleRef = fieldsOf(object["roleRef"]);
  return {
    kind,
    name,
    namespace,
    roleRef: { kind: textOf(roleRef["kind"]), name: textOf(roleRef["name"]) },
    subjects: listOf(object["subjects"]).flatMap(subjectFrom),
  } satisfies Binding;
}

function ruleFrom(given: unknown): PolicyRule {
  const fields = fieldsOf(given);
  const texts = (name: string) => listOf(fields[name]).filter((one) => typeof one === "string");
  return {
    verbs: texts("verbs"),
    apiGroups: texts("apiGroups"),
    resources: texts("resources"),
    resourceNames: texts("resourceNames"),
    nonResourceURLs: texts("nonResourceURLs"),
  };
}

function subjectFrom(given: unknown): Subject[] {
  const fields = fieldsOf(given);
  const kind = textOf(fields["kind"]);
  if (kind !== "User" && kind !== "Group" && kind !== "ServiceAccount") return [];
  return [{ kind, name: textOf(fields["name"]), namespace: textOf(fields["namespace"]) }];
}

function fieldsOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};
}

function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

function textOf(value: unknown): string {
  return typeof value === "string" ? value : "";
}
