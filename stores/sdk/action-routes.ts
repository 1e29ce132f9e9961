/** A store's actions as ActionService. Streams are not offered. */
import { Code, ConnectError, type ConnectRouter } from "@connectrpc/connect";
import { ActionService } from "../../gen/annex/store/v1/action_pb.js";
import { Capability } from "../../gen/annex/store/v1/catalog_pb.js";
import type { StoredObject as StoredMessage } from "../../gen/annex/store/v1/object_pb.js";
import { createGuard } from "./guard.ts";
import { callFrom, keyFrom, valuesFrom } from "./messages.ts";
import { describedResources } from "./resources.ts";
import type { ServingState } from "./serving-state.ts";
import type { Store } from "./store.ts";

/** Registers ActionService, if the store has actions. */
export function actionRoutes(store: Store, state: ServingState): (router: ConnectRouter) => void {
  const invoke = store.invoke?.bind(store);
  if (invoke === undefined) return () => {};
  const describedOf = describedResources(store);
  const { guarded } = createGuard(state);
  return (router) => {
    router.service(ActionService, {
      invoke: (request, context) =>
        guarded("invoke", context.protocolName, false, async () => {
          const { httpMethod, subpath, contentType, body, dryRun, key, parent } = request;
          const subresource = request.resource?.subresource ?? "";
          const described = describedOf(request.resource && { ...request.resource, subresource: "" });
          if (subresource !== "" && !described.hasSubresource(subresource)) {
            throw new ConnectError(`there is no subresource "${subresource}"`, Code.Unimplemented);
          }
          if (dryRun) described.need(Capability.DRY_RUN);
          const answer = await invoke({
            ...callFrom(request, context),
            key: keyFrom(key, described.isNamespaced, { isUnnamed: subresource === "" }),
            subresource,
            httpMethod,
            query: valuesFrom(request.query),
            subpath,
            contentType,
            body,
            dryRun,
            parent: parent && { ...keyFrom(parent.key, described.isNamespaced), ...stateOf(parent) },
          });
          return { ...answer, warnings: [...(answer.warnings ?? [])] };
        }),
    });
  };
}

function stateOf({ revision, uid, json }: StoredMessage) {
  return { revision, uid, json };
}
