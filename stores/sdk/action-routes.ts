/** A store's actions as ActionService. Streams are not offered. */
import type { ConnectRouter } from "@connectrpc/connect";
import { ActionService } from "../../gen/annex/store/v1/action_pb.js";
import { Capability } from "../../gen/annex/store/v1/catalog_pb.js";
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
          const described = describedOf(request.resource);
          const { httpMethod, subpath, contentType, body, dryRun, key } = request;
          if (dryRun) described.need(Capability.DRY_RUN);
          const answer = await invoke({
            ...callFrom(request, context),
            key: keyFrom(key, described.isNamespaced, { isUnnamed: true }),
            subresource: request.resource?.subresource ?? "",
            httpMethod,
            query: valuesFrom(request.query),
            subpath,
            contentType,
            body,
            dryRun,
          });
          return { ...answer, warnings: [...(answer.warnings ?? [])] };
        }),
    });
  };
}
