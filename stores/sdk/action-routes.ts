/** A store's actions and streams as ActionService. */
import { Code, ConnectError, type ConnectRouter, type HandlerContext } from "@connectrpc/connect";
import { ActionService, type InvokeRequest, type StreamRequest } from "../../gen/annex/store/v1/action_pb.js";
import { Capability } from "../../gen/annex/store/v1/catalog_pb.js";
import type { StoredObject as StoredMessage } from "../../gen/annex/store/v1/object_pb.js";
import { createGuard } from "./guard.ts";
import { callFrom, keyFrom, valuesFrom } from "./messages.ts";
import { describedResources } from "./resources.ts";
import type { ServingState } from "./serving-state.ts";
import type { InvokeCall, Store } from "./store.ts";
import { inputFrom, openedBy, type ResponseInit, responsesOf } from "./streams.ts";

/** Whether a store has actions. */
export function hasActions(store: Store): boolean {
  return store.invoke !== undefined || store.stream !== undefined;
}

/** Registers ActionService, if the store has actions. */
export function actionRoutes(store: Store, state: ServingState): (router: ConnectRouter) => void {
  if (!hasActions(store)) return () => {};
  const describedOf = describedResources(store);
  const { guarded } = createGuard(state);

  function invokeCall(request: InvokeRequest, context: HandlerContext): InvokeCall {
    const { httpMethod, subpath, contentType, body, dryRun, key, parent } = request;
    const subresource = request.resource?.subresource ?? "";
    const described = describedOf(request.resource && { ...request.resource, subresource: "" });
    if (subresource !== "" && !described.hasSubresource(subresource)) {
      throw new ConnectError(`there is no subresource "${subresource}"`, Code.Unimplemented);
    }
    if (dryRun) described.need(Capability.DRY_RUN);
    return {
      ...callFrom(request, context),
      key: keyFrom(key, described.isNamespaced, { isUnnamed: subresource === "" }),
      ...{ subresource, httpMethod, subpath, contentType, body, dryRun },
      query: valuesFrom(request.query),
      parent: parent && { ...keyFrom(parent.key, described.isNamespaced), ...stateOf(parent) },
    };
  }

  async function* stream(
    requests: AsyncIterable<StreamRequest>,
    context: HandlerContext,
  ): AsyncGenerator<ResponseInit> {
    const guard = <T>(work: () => Promise<T>) => guarded("stream", context.protocolName, false, work);
    const signal = AbortSignal.any([context.signal, state.stopping]);
    const incoming = requests[Symbol.asyncIterator]();
    const { request, protocols } = await openedBy(incoming);
    const accepted = await guard(async () => {
      const open = offered(store.stream, "stream").bind(store);
      return await open({ ...invokeCall(request, context), signal, protocols, input: inputFrom(incoming) });
    });
    yield* responsesOf(accepted, protocols, signal, guard);
  }

  return (router) => {
    router.service(ActionService, {
      invoke: (request, context) =>
        guarded("invoke", context.protocolName, false, async () => {
          const answer = await offered(store.invoke, "invoke").call(store, invokeCall(request, context));
          return { ...answer, warnings: [...(answer.warnings ?? [])] };
        }),
      stream,
    });
  };
}

function offered<T>(action: T | undefined, name: string): T {
  if (action === undefined) throw new ConnectError(`${name} is not offered`, Code.Unimplemented);
  return action;
}

function stateOf({ revision, uid, json }: StoredMessage) {
  return { revision, uid, json };
}
