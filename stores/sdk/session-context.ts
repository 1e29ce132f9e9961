/**
 * What a handler is told of a call by session: as much as of an RPC, made only when it is asked for.
 *
 * Connect's own context makes an AbortController, two signals and three Headers for each call: more
 * than the rest of a small call costs.
 */
import type { DescMethodUnary } from "@bufbuild/protobuf";
import { type ConnectError, type ContextValues, createContextValues, type HandlerContext } from "@connectrpc/connect";
import type { SessionRequest } from "../../gen/annex/store/v1/session_pb.js";

/** A handler's context of one call, which begins when it is made. Its session aborts it. */
export class SessionContext implements HandlerContext {
  readonly method: DescMethodUnary;
  /** The deadline in milliseconds of performance.now(); Infinity: none. */
  readonly endsAt: number;
  readonly protocolName = "session";
  readonly requestMethod = "POST";
  readonly #request: SessionRequest;
  #controller: AbortController | undefined;
  #aborted: ConnectError | undefined;
  #requestHeader: Headers | undefined;
  #responseHeader: Headers | undefined;
  #responseTrailer: Headers | undefined;
  #values: ContextValues | undefined;

  constructor(method: DescMethodUnary, request: SessionRequest) {
    this.method = method;
    this.#request = request;
    this.endsAt = request.timeoutMs === 0 ? Number.POSITIVE_INFINITY : performance.now() + request.timeoutMs;
  }

  /** Ends the call, once. */
  abort(reason: ConnectError): void {
    this.#aborted ??= reason;
    this.#controller?.abort(this.#aborted);
  }

  timeoutMs(): number | undefined {
    return this.#request.timeoutMs === 0 ? undefined : Math.max(0, this.endsAt - performance.now());
  }

  get service() {
    return this.method.parent;
  }

  get url(): string {
    return `session:/${this.#request.method}`;
  }

  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      if (this.#aborted !== undefined) this.#controller.abort(this.#aborted);
    }
    return this.#controller.signal;
  }

  get requestHeader(): Headers {
    this.#requestHeader ??= new Headers(
      Object.entries(this.#request.metadata).flatMap(([name, list]) =>
        list.values.map((value) => [name, value] as [string, string]),
      ),
    );
    return this.#requestHeader;
  }

  get responseHeader(): Headers {
    this.#responseHeader ??= new Headers();
    return this.#responseHeader;
  }

  get responseTrailer(): Headers {
    this.#responseTrailer ??= new Headers();
    return this.#responseTrailer;
  }

  get values(): ContextValues {
    this.#values ??= createContextValues();
    return this.#values;
  }
}
