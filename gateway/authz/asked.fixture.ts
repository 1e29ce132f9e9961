/** A question as a test varies it. */
import type { Attributes } from "./authorizer.ts";

/** May "u" of the groups "a" and "b" get the thing "n" of the group "g"? */
export function asked(changes: Partial<Attributes> = {}): Attributes {
  return {
    user: { name: "u", uid: "", groups: ["a", "b"], extra: {} },
    verb: "get",
    isResourceRequest: true,
    path: "",
    apiGroup: "g",
    apiVersion: "v1",
    resource: "things",
    subresource: "",
    namespace: "",
    name: "n",
    fieldSelector: "",
    labelSelector: "",
    ...changes,
  };
}
