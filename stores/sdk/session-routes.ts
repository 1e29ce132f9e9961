/** SessionService for whoever doesn't open it as a plain gRPC stream: the Connect protocol, a transport in memory. */
import { fromBinary } from "@bufbuild/protobuf";
import { ConnectError, type ConnectRouter } from "@connectrpc/connect";
import {
  type OpenRequest,
  type OpenResponse,
  OpenResponseSchema,
  SessionService,
} from "../../gen/annex/store/v1/session_pb.js";
import { prefixBytes } from "./grpc-messages.ts";
import type { AnswerWire, ServedSession, SessionServer } from "./session.ts";

/** Registers SessionService. */
export function sessionRoutes(serve: SessionServer): (router: ConnectRouter) => void {
  return (router) => {
    router.service(SessionService, {
      async *open(requests) {
        const batches = new Batches();
        const session = serve(batches);
        void forward(requests, session);
        try {
          yield* batches.responses();
        } finally {
          session.close();
        }
      },
    });
  };
}

async function forward(requests: AsyncIterable<OpenRequest>, session: ServedSession): Promise<void> {
  try {
    for await (const { frames } of requests) session.receive(frames);
    session.close();
  } catch (error) {
    session.close(ConnectError.from(error));
  }
}

/** One batch at a time, from who writes to who iterates. */
class Batches implements AnswerWire {
  #next = Promise.withResolvers<{ readonly batch: Buffer; readonly done: () => void } | undefined>();

  write(batch: Buffer, done: () => void): void {
    this.#next.resolve({ batch, done });
  }

  end(failure: ConnectError | undefined): void {
    if (failure === undefined) this.#next.resolve(undefined);
    else this.#next.reject(failure);
    this.#next.promise.catch(() => {});
  }

  async *responses(): AsyncGenerator<OpenResponse, void, undefined> {
    for (;;) {
      const written = await this.#next.promise;
      if (written === undefined) return;
      this.#next = Promise.withResolvers();
      yield fromBinary(OpenResponseSchema, written.batch.subarray(prefixBytes));
      written.done();
    }
  }
}
