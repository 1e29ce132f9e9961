/**
 * What a handler is told of a call by session: as much as of an RPC, made only when it is asked for.
 *
 * Connect's own context makes an AbortController, two signals and three Headers for each call: more
 * than the rest of a small call costs.
 */
import type { DescMethodUnary } from "@bufbuild/protobuf";
import { Code, ConnectError, type ContextValues, createContextValues, type HandlerContext } from "@connectrpc/connect";
import type { SessionRequest } from "../../gen/annex/store/v1/session_pb.js";

/** A handler's context, and the two ways in which its call ends. */
export interface SessionContext extends HandlerContext {
  abort(reason: ConnectError): void;
  /** The answer is out. */
  finish(): void;
}

/** Makes the context of one call that begins now. */
export function sessionContext(method: DescMethodUnary, request: SessionRequest): SessionContext {
  const began = performance.now();
  const { timeoutMs } = request;
  let controller: AbortController | undefined;
  let timer: NodeJS.Timeout | undefined;
  let requestHeader: Headers | undefined;
  let responseHeader: Headers | undefined;
  let responseTrailer: Headers | undefined;
  let values: ContextValues | undefined;
  let aborted: ConnectError | undefined;
  const abort = (reason: ConnectError) => {
    aborted ??= reason;
    clearTimeout(timer);
    controller?.abort(aborted);
  };
  const left = () => (timeoutMs === 0 ? undefined : Math.max(0, timeoutMs - (performance.now() - began)));
  return {
    method,
    service: method.parent,
    protocolName: "session",
    requestMethod: "POST",
    url: `session:/${request.method}`,
    timeoutMs: left,
    get signal() {
      if (controller === undefined) {
        controller = new AbortController();
        if (aborted !== undefined) controller.abort(aborted);
        else if (timeoutMs > 0) {
          const late = () => abort(new ConnectError("the deadline is over", Code.DeadlineExceeded));
          timer = setTimeout(late, left());
        }
      }
      return controller.signal;
    },
    get requestHeader() {
      requestHeader ??= new Headers(
        Object.entries(request.metadata).flatMap(([name, list]) =>
          list.values.map((value) => [name, value] as [string, string]),
        ),
      );
      return requestHeader;
    },
    get responseHeader() {
      responseHeader ??= new Headers();
      return responseHeader;
    },
    get responseTrailer() {
      responseTrailer ??= new Headers();
      return responseTrailer;
    },
    get values() {
      values ??= createContextValues();
      return values;
    },
    abort,
    finish: () => clearTimeout(timer),
  };
}
