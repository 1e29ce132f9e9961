/**
 * PasswordChangeRequest: a new password, for oneself with the present one, or for others by whoever may
 * both update users and change passwords. The gateway is asked about both.
 */
import { createHash, timingSafeEqual } from "node:crypto";
import { type Creation, forbidden, imperativeKind, invalid, type Kind, type Question } from "../../sdk/sdk.ts";
import { group } from "./api.ts";

/** Asks the gateway what a call's user may do. */
export type Ask = (call: Pick<Creation<unknown>, "host" | "signal">, question: Question) => Promise<boolean>;

const minLength = 12;

/** Makes the kind over the hashes of passwords, by user. */
export function passwordChangeRequests(hashes: Map<string, Buffer>, isAllowed: Ask): Kind {
  return imperativeKind(
    {
      ...{ group, version: "v1", kind: "PasswordChangeRequest", plural: "passwordchangerequests", scope: "Cluster" },
      schema: {
        type: "object",
        required: ["spec"],
        properties: {
          spec: {
            type: "object",
            required: ["userID", "newPassword"],
            properties: {
              userID: { type: "string" },
              currentPassword: { type: "string" },
              newPassword: { type: "string", minLength },
            },
          },
          status: { type: "object", properties: { summary: { type: "string" } } },
        },
      },
    },
    async (call) => {
      const { userID, currentPassword = "", newPassword } = call.object.spec;
      if (userID === call.user?.name) assertPassword(hashes.get(userID), currentPassword);
      else {
        const users = { group: "management.samples.annex.dev", resource: "users", name: userID };
        for (const verb of ["update", "manage-passwords"]) {
          if (!(await isAllowed(call, { ...users, verb }))) throw forbidden(`${verb} of users is needed`);
        }
      }
      hashes.set(userID, hashOf(newPassword));
      // Nothing of a password goes back.
      return { ...call.object, spec: { userID, newPassword: "" }, status: { summary: "Completed" } };
    },
  );
}

function assertPassword(known: Buffer | undefined, given: string): void {
  if (known === undefined || timingSafeEqual(known, hashOf(given))) return;
  const message = "Invalid value: the current password is another";
  throw invalid([{ reason: "FieldValueInvalid", field: "spec.currentPassword", message }]);
}

/** A sample's hash: a store of real passwords takes scrypt and a salt. */
function hashOf(password: string): Buffer {
  return createHash("sha256").update(password).digest();
}
