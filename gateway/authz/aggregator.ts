/**
 * Notices that kube-apiserver has found this server.
 *
 * Its aggregation layer asks as two users of its own; the first request of either, whatever becomes
 * of it, shows that an APIService leads here.
 * Source: rancher/steve pkg/ext (Registered); kube-aggregator pkg/controllers.
 */
import type { Authorizer } from "./authorizer.ts";

const aggregatorUsers = new Set(["system:aggregator", "system:kube-aggregator"]);

/** Gives the same authorizer; `onSeen` is called once, with the name of the first such user. */
export function noticingAggregator(authorizer: Authorizer, onSeen: (user: string) => void): Authorizer {
  let isSeen = false;
  return (attributes) => {
    if (!isSeen && aggregatorUsers.has(attributes.user.name)) {
      isSeen = true;
      onSeen(attributes.user.name);
    }
    return authorizer(attributes);
  };
}
