/**
 * Kubeconfig: a file for kubectl over some clusters. The file is made and shown at creation; what is
 * kept says for whom, for which clusters and until when.
 */
import { randomBytes } from "node:crypto";
import { keptKind } from "../../sdk/sdk.ts";
import { group } from "./api.ts";

/** The kind. */
export const kubeconfigs = keptKind(
  {
    ...{ group, version: "v1", kind: "Kubeconfig", plural: "kubeconfigs", scope: "Cluster" },
    status: true,
    columns: [
      { name: "User", type: "string", jsonPath: ".spec.userID" },
      { name: "Clusters", type: "string", jsonPath: ".spec.clusters" },
      { name: "Age", type: "date", jsonPath: ".metadata.creationTimestamp" },
    ],
    schema: {
      type: "object",
      required: ["spec"],
      properties: {
        spec: {
          type: "object",
          required: ["clusters"],
          properties: {
            userID: { type: "string" },
            clusters: { type: "array", minItems: 1, maxItems: 100, items: { type: "string", maxLength: 63 } },
            currentContext: { type: "string" },
            ttl: { type: "integer", minimum: 0, default: 57_600_000 },
          },
        },
        status: { type: "object", properties: { value: { type: "string" }, summary: { type: "string" } } },
      },
    },
  },
  undefined,
  {
    owner: { field: ".spec.userID", seeAll: "see-all" },
    async mutate({ object, previous, user }) {
      const userID = previous?.spec.userID ?? user?.name ?? "";
      return { ...object, spec: { ...object.spec, userID } };
    },
    async validate({ object, operation }) {
      const { clusters, currentContext } = object.spec;
      if (operation === "DELETE" || currentContext === undefined || clusters.includes(currentContext)) return [];
      const message = `Not found: ${JSON.stringify(currentContext)}`;
      return [{ reason: "FieldValueNotFound", field: "spec.currentContext", message }];
    },
    async reveal(object) {
      const kept = { ...object, status: { summary: "Complete" } };
      return { kept, shown: { ...kept, status: { ...kept.status, value: fileFor(object.spec) } } };
    },
  },
);

/** A kubeconfig in JSON, which is YAML. */
function fileFor(spec: { readonly clusters: readonly string[]; readonly currentContext?: string }): string {
  const user = "user";
  return JSON.stringify({
    apiVersion: "v1",
    kind: "Config",
    clusters: spec.clusters.map((name) => ({ name, cluster: { server: `https://${name}.example.com` } })),
    users: [{ name: user, user: { token: randomBytes(32).toString("base64url") } }],
    contexts: spec.clusters.map((name) => ({ name, context: { cluster: name, user } })),
    "current-context": spec.currentContext ?? spec.clusters[0],
  });
}
