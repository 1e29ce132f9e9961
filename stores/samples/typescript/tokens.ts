/**
 * Token: what a user shows instead of a password. Its value is shown to whoever creates it, once; what
 * is kept is a hash. A user has their own tokens; `see-all` has everybody's.
 */
import { createHash, randomBytes } from "node:crypto";
import { forbidden, keptKind } from "../../sdk/sdk.ts";
import { group, isAdmin } from "./api.ts";

/** The kind. */
export const tokens = keptKind(
  {
    ...{ group, version: "v1", kind: "Token", plural: "tokens", scope: "Cluster" },
    status: true,
    columns: [
      { name: "User", type: "string", jsonPath: ".spec.userID" },
      { name: "TTL", type: "integer", jsonPath: ".spec.ttl" },
      { name: "Enabled", type: "boolean", jsonPath: ".spec.enabled" },
      { name: "Age", type: "date", jsonPath: ".metadata.creationTimestamp" },
    ],
    selectableFields: [".spec.userID"],
    schema: {
      type: "object",
      properties: {
        spec: {
          type: "object",
          default: {},
          properties: {
            userID: { type: "string" },
            description: { type: "string" },
            ttl: { type: "integer", minimum: 0, default: 57_600_000 },
            enabled: { type: "boolean", default: true },
          },
        },
        status: {
          type: "object",
          properties: {
            hash: { type: "string" },
            value: { type: "string" },
            expiresAt: { type: "string", format: "date-time" },
          },
        },
      },
    },
  },
  undefined,
  {
    owner: { field: ".spec.userID", seeAll: "see-all" },
    async mutate({ operation, object, user }) {
      const { userID = user?.name ?? "" } = object.spec;
      if (operation === "CREATE" && userID !== user?.name && !isAdmin(user)) {
        throw forbidden(`${user?.name} can't make tokens for ${userID}`);
      }
      return { ...object, spec: { ...object.spec, userID } };
    },
    async validate({ object, previous }) {
      if (previous === undefined || object.spec.userID === previous.spec.userID) return [];
      return [{ reason: "FieldValueInvalid", field: "spec.userID", message: "Invalid value: the owner can't change" }];
    },
    async reveal(object) {
      const value = randomBytes(32).toString("base64url");
      const hash = createHash("sha256").update(value).digest("hex");
      const expiresAt = new Date(Date.now() + object.spec.ttl).toISOString().replace(/\.\d+Z$/, "Z");
      const kept = { ...object, status: { hash, expiresAt } };
      return { kept, shown: { ...kept, status: { ...kept.status, value } } };
    },
  },
);
