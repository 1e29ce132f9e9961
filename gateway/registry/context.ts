/** What travels with each call, as the contract's message. */
import type { CallContext } from "./store-call.ts";

/** Gives the message of who asks. */
export function contextOf(call: Omit<CallContext, "timeoutMs" | "signal">) {
  const user = call.user;
  return {
    requestId: call.requestId,
    ...(user === undefined
      ? {}
      : {
          user: {
            name: user.name,
            uid: user.uid,
            groups: [...user.groups],
            extra: Object.fromEntries(
              Object.entries(user.extra).map(([key, values]) => [key, { values: [...values] }]),
            ),
          },
        }),
    clientVersion: call.clientVersion,
    userAgent: call.userAgent,
  };
}
