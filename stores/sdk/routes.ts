/** A store's functions as the services of the contract, with health checking and reflection. */
import type { ConnectRouter } from "@connectrpc/connect";
import { ActionService } from "../../gen/annex/store/v1/action_pb.js";
import { CatalogService } from "../../gen/annex/store/v1/catalog_pb.js";
import { HookService } from "../../gen/annex/store/v1/hook_pb.js";
import { SessionService } from "../../gen/annex/store/v1/session_pb.js";
import { StoreService } from "../../gen/annex/store/v1/store_pb.js";
import { Health } from "../../gen/grpc/health/v1/health_pb.js";
import { ServerReflection } from "../../gen/grpc/reflection/v1/reflection_pb.js";
import { actionRoutes, hasActions } from "./action-routes.ts";
import { catalogRoutes } from "./catalog-routes.ts";
import { healthRoutes } from "./health-routes.ts";
import { hasHooks, hookRoutes } from "./hook-routes.ts";
import { methodsOf, type StreamingMethod } from "./methods.ts";
import { reflectionRoutes } from "./reflection.ts";
import type { ServingState } from "./serving-state.ts";
import { createSessionServer, type SessionServer } from "./session.ts";
import { sessionRoutes } from "./session-routes.ts";
import type { Store } from "./store.ts";
import { storeServiceRoutes } from "./store-routes.ts";

/** Everything that a store serves. */
export interface StoreServices {
  /** Registers all services. */
  readonly routes: (router: ConnectRouter) => void;
  /** Serves the sessions that a listener takes off the wire itself. */
  readonly sessions: SessionServer;
  /** The streams that it takes off itself too. */
  readonly streams: ReadonlyMap<string, StreamingMethod>;
}

/** Gives everything that a store serves. */
export function storeServices(store: Store, state: ServingState, sessionMaxAgeMs?: number): StoreServices {
  const own = [catalogRoutes, storeServiceRoutes, actionRoutes, hookRoutes].map((make) => make(store, state));
  const actions = hasActions(store) ? [ActionService] : [];
  const hooks = hasHooks(store) ? [HookService] : [];
  const services = [CatalogService, StoreService, ...actions, ...hooks, SessionService];
  const sessions = createSessionServer(own, state, sessionMaxAgeMs);
  const all = [
    ...own,
    sessionRoutes(sessions),
    healthRoutes(services, state),
    reflectionRoutes([...services, Health, ServerReflection]),
  ];
  const routes = (router: ConnectRouter) => {
    for (const route of all) route(router);
  };
  return { routes, sessions, streams: methodsOf("server_streaming", own) };
}

/** Registers everything that a store serves. */
export function storeRoutes(store: Store, state: ServingState): (router: ConnectRouter) => void {
  return storeServices(store, state).routes;
}
