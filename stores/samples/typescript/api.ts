/** What the kinds share. */
import type { CallUser } from "../../sdk/sdk.ts";

export const group = "ext.samples.annex.dev";

/** Whether a user may act for others. */
export function isAdmin(user: CallUser | undefined): boolean {
  return user?.groups.includes("system:masters") === true;
}
