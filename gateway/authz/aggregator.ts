/**
 * Notices that kube-apiserver has found this server.
 *
 * Its aggregation layer asks as two users of its own; the first request of either, whatever becomes
 * of it, shows that an APIService leads here. For which group and version shows its availability
 * check, which asks for their document over and over.
 * Source: rancher/steve pkg/ext (Registered); kube-aggregator pkg/controllers.
 */
import type { Authorizer } from "./authorizer.ts";

const aggregatorUsers = new Set(["system:aggregator", "system:kube-aggregator"]);

/** Is told what the aggregation layer does. */
export interface AggregatorNotice {
  /** Called once, with the name of the first such user. */
  onSeen(user: string): void;
  /** Called each time that it asks for the document of a group and version. */
  onGroupVersion(groupVersion: string): void;
}

/** Gives the same authorizer, which notices. */
export function noticingAggregator(authorizer: Authorizer, notice: AggregatorNotice): Authorizer {
  let isSeen = false;
  return (attributes) => {
    if (aggregatorUsers.has(attributes.user.name)) {
      if (!isSeen) notice.onSeen(attributes.user.name);
      isSeen = true;
      const [, groupVersion] = /^\/apis\/([^/]+\/[^/]+)\/?$/.exec(attributes.path) ?? [];
      if (groupVersion !== undefined) notice.onGroupVersion(groupVersion);
    }
    return authorizer(attributes);
  };
}
