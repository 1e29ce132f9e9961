/** SelfUser: who am I? */
import { imperativeKind } from "../../sdk/sdk.ts";
import { group } from "./api.ts";

/** The kind. */
export const selfUsers = imperativeKind(
  {
    ...{ group, version: "v1", kind: "SelfUser", plural: "selfusers", scope: "Cluster" },
    schema: {
      type: "object",
      properties: { status: { type: "object", properties: { userID: { type: "string" } } } },
    },
  },
  async ({ object, user }) => ({ ...object, status: { userID: user?.name ?? "" } }),
);
