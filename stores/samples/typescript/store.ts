/** Six kinds in one store, from memory. */
import { defineStore, type Store } from "../../sdk/sdk.ts";
import { groupMembershipRefreshRequests } from "./group-membership-refresh-requests.ts";
import { kubeconfigs } from "./kubeconfigs.ts";
import { type Ask, passwordChangeRequests } from "./password-change-requests.ts";
import { selfUsers } from "./self-users.ts";
import { tokens } from "./tokens.ts";
import { userActivities } from "./user-activities.ts";

/** What the kinds act on. */
export interface Surroundings {
  /** Asks the gateway what a call's user may do. */
  readonly isAllowed: Ask;
  readonly refreshGroups: (userID: string) => Promise<void>;
}

/** Makes the store. */
export function createSampleStore({ isAllowed, refreshGroups }: Surroundings): Store {
  return defineStore({
    name: "annex-sample-typescript",
    version: "1",
    kinds: [
      ...[tokens, kubeconfigs, userActivities, selfUsers],
      passwordChangeRequests(new Map(), isAllowed),
      groupMembershipRefreshRequests(refreshGroups),
    ],
  });
}
