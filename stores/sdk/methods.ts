/** What a store's routes register, for those who serve it otherwise than a router does. */
import type { DescMethod, DescMethodServerStreaming, DescMethodUnary } from "@bufbuild/protobuf";
import type { ConnectRouter, HandlerContext } from "@connectrpc/connect";

/** A method and what answers it. */
interface Registered<M extends DescMethod> {
  readonly method: M;
  readonly answer: (request: never, context: HandlerContext) => unknown;
}

/** A method that gives one answer. */
export type UnaryMethod = Registered<DescMethodUnary>;
/** A method that gives a stream of answers. */
export type StreamingMethod = Registered<DescMethodServerStreaming>;

/** Gives each method of a kind that the routes register, by `package.Service/Method`. */
export function methodsOf<K extends "unary" | "server_streaming">(
  kind: K,
  routes: readonly ((router: ConnectRouter) => void)[],
): ReadonlyMap<string, Registered<Extract<DescMethod, { methodKind: K }>>> {
  const methods = new Map<string, Registered<Extract<DescMethod, { methodKind: K }>>>();
  const recorder = {
    handlers: [],
    rpc: () => recorder,
    service(service: { methods: readonly DescMethod[] }, implementation: Record<string, UnaryMethod["answer"]>) {
      for (const method of service.methods) {
        const answer = implementation[method.localName];
        if (method.methodKind !== kind || answer === undefined) continue;
        const known = method as Extract<DescMethod, { methodKind: K }>;
        methods.set(`${method.parent.typeName}/${method.name}`, { method: known, answer: answer.bind(implementation) });
      }
      return recorder;
    },
  };
  for (const route of routes) route(recorder as unknown as ConnectRouter);
  return methods;
}
