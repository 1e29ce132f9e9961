/** GroupMembershipRefreshRequest: looks up anew which groups a user, or everybody (`*`), is in. */
import { forbidden, imperativeKind, type Kind } from "../../sdk/sdk.ts";
import { group, isAdmin } from "./api.ts";

/** Makes the kind over the function that does it. */
export function groupMembershipRefreshRequests(refresh: (userID: string) => Promise<void>): Kind {
  return imperativeKind(
    {
      ...{ group, version: "v1", kind: "GroupMembershipRefreshRequest", scope: "Cluster" },
      plural: "groupmembershiprefreshrequests",
      schema: {
        type: "object",
        required: ["spec"],
        properties: {
          spec: { type: "object", required: ["userID"], properties: { userID: { type: "string", minLength: 1 } } },
          status: { type: "object", properties: { summary: { type: "string" } } },
        },
      },
    },
    async ({ object, user }) => {
      const { userID } = object.spec;
      if (userID !== user?.name && !isAdmin(user)) throw forbidden("only your own groups can be refreshed");
      await refresh(userID);
      return { ...object, status: { summary: "Completed" } };
    },
  );
}
