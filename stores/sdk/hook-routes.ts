/** A store's hooks as HookService: each is offered if the store has its function. */
import { Code, ConnectError, type ConnectRouter, type HandlerContext } from "@connectrpc/connect";
import { HookService, type MutateRequest, Operation, type ValidateRequest } from "../../gen/annex/store/v1/hook_pb.js";
import { createGuard } from "./guard.ts";
import { callFrom, keyFrom } from "./messages.ts";
import { describedResources } from "./resources.ts";
import type { ServingState } from "./serving-state.ts";
import type { AdmitCall, Store } from "./store.ts";

/** Whether a store has a hook. */
export function hasHooks(store: Store): boolean {
  return [store.mutate, store.validate, store.convert, store.tabulate].some((hook) => hook !== undefined);
}

/** Registers HookService, if the store has a hook. */
export function hookRoutes(store: Store, state: ServingState): (router: ConnectRouter) => void {
  if (!hasHooks(store)) return () => {};
  const describedOf = describedResources(store);
  const { guarded } = createGuard(state);

  function admitCall(request: MutateRequest | ValidateRequest, context: HandlerContext): AdmitCall {
    const subresource = request.resource?.subresource ?? "";
    const resource = request.resource && { ...request.resource, subresource: "" };
    return {
      ...callFrom(request, context),
      operation: operationOf(request.operation),
      subresource,
      // A name that is yet to be generated.
      key: keyFrom(request.key, describedOf(resource).isNamespaced, { isUnnamed: true }),
      json: request.objectJson,
      oldJson: request.oldObjectJson,
      dryRun: request.dryRun,
    };
  }

  return (router) => {
    router.service(HookService, {
      mutate: (request, context) =>
        guarded("mutate", context.protocolName, false, async () => {
          const mutate = offered(store.mutate, "mutate").bind(store);
          const { json = new Uint8Array(), warnings = [] } = (await mutate(admitCall(request, context))) ?? {};
          return { objectJson: json, warnings: [...warnings] };
        }),
      validate: (request, context) =>
        guarded("validate", context.protocolName, false, async () => {
          const validate = offered(store.validate, "validate").bind(store);
          const { causes = [], warnings = [] } = (await validate(admitCall(request, context))) ?? {};
          return { causes: causes.map((cause) => ({ ...cause })), warnings: [...warnings] };
        }),
      convert: (request, context) =>
        guarded("convert", context.protocolName, false, async () => {
          const convert = offered(store.convert, "convert").bind(store);
          const { requestId, group, kind, targetVersion, objectsJson } = request;
          const { signal } = context;
          const objects = await convert({ requestId, group, kind, targetVersion, objects: objectsJson, signal });
          return { objectsJson: [...objects] };
        }),
      tabulate: (request, context) =>
        guarded("tabulate", context.protocolName, false, async () => {
          const tabulate = offered(store.tabulate, "tabulate").bind(store);
          const { isNamespaced } = describedOf(request.resource);
          const objects = request.objects.map(({ key, revision, uid, json }) => ({
            ...keyFrom(key, isNamespaced),
            ...{ revision, uid, json },
          }));
          const rows = await tabulate({ ...callFrom(request, context), objects });
          const cellJson = (cell: unknown) => Buffer.from(JSON.stringify(cell ?? null));
          return { rows: rows.map((cells) => ({ cellsJson: cells.map(cellJson) })) };
        }),
    });
  };
}

function offered<T>(hook: T | undefined, name: string): T {
  if (hook === undefined) throw new ConnectError(`${name} is not offered`, Code.Unimplemented);
  return hook;
}

function operationOf(operation: Operation): AdmitCall["operation"] {
  switch (operation) {
    case Operation.CREATE:
      return "CREATE";
    case Operation.UPDATE:
      return "UPDATE";
    case Operation.DELETE:
      return "DELETE";
    default:
      throw new ConnectError("the operation is unknown", Code.InvalidArgument);
  }
}
