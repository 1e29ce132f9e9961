/** UserActivity: when a session was last used. Clients get and update it, and nothing else. */
import { keptKind } from "../../sdk/sdk.ts";
import { group } from "./api.ts";

/** A session that is idle for this long is over. */
const idleMs = 16 * 60 * 60 * 1000;

/** The kind. */
export const userActivities = keptKind(
  {
    ...{ group, version: "v1", kind: "UserActivity", plural: "useractivities", scope: "Cluster" },
    schema: {
      type: "object",
      properties: {
        spec: {
          type: "object",
          default: {},
          properties: { userID: { type: "string" }, seenAt: { type: "string", format: "date-time" } },
        },
        status: { type: "object", properties: { expiresAt: { type: "string", format: "date-time" } } },
      },
    },
  },
  undefined,
  {
    verbs: ["get", "update", "patch"],
    createOnUpdate: true,
    owner: { field: ".spec.userID" },
    async mutate({ object, user }) {
      const seenAt = object.spec.seenAt ?? inSeconds(Date.now());
      const expiresAt = inSeconds(Date.parse(seenAt) + idleMs);
      return { ...object, spec: { userID: user?.name ?? "", seenAt }, status: { expiresAt } };
    },
  },
);

const inSeconds = (ms: number): string => new Date(ms).toISOString().replace(/\.\d+Z$/, "Z");
