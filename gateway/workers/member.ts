/**
 * A worker's side: what it is told, and what it asks of those that serve beside it.
 *
 * When the channel ends, the supervisor is gone, even if it was killed: the worker drains, as after a
 * signal, and ends. None outlives the whole by more than its drain.
 */
import type { FiguresRequest, FromWorker, HeldTicket, ToWorker, WholeState, WorkerStart } from "./messages.ts";
import { createQuestions } from "./questions.ts";

/** What a worker can say of itself. */
export interface OwnAnswers {
  /** Gives its figures as text. */
  figures(request: FiguresRequest): Promise<string>;
  /** Undefined: it is no ticket of its. */
  holderOf(ticket: Uint8Array): HeldTicket | undefined;
}

/** The processes that share a port, seen from one of them. */
export interface Siblings {
  /** Which of them takes the port. */
  readonly share: "first" | "more";
  /** Whether it listens only once it is ready. */
  readonly listensWhenReady: boolean;
  whole(): WholeState;
  /** kube-apiserver's aggregation layer has found this one. */
  registered(): void;
  /** What stores said of themselves, for whoever starts while one is away. */
  readonly descriptions: {
    read(store: string): Uint8Array | undefined;
    write(store: string, description: Uint8Array): void;
  };
  /** Answers what the others ask from now on. */
  answerWith(own: OwnAnswers): void;
  /** Gives the figures of all. @throws Error if the supervisor doesn't give them in time. */
  figures(request: FiguresRequest): Promise<string>;
  /** Gives whose a ticket of another one is. @throws Error as above. */
  holderOf(ticket: Uint8Array): Promise<HeldTicket | undefined>;
}

/** This process as one of several. */
export interface Member<C, S> {
  readonly start: WorkerStart<C, S>;
  readonly siblings: Siblings;
  listening(place: { readonly url: string; readonly port: number }): void;
  ready(): void;
  /** Calls back with each new list of stores. */
  onStores(listener: (stores: S) => void): void;
  /** Lets the process end. */
  leave(): void;
}

/** How long the supervisor may take for all: its own limit for each worker, and their text. */
const askTimeoutMs = 5_000;

/**
 * Joins the others.
 * @param onAlone is called when the supervisor is gone.
 */
export async function joinWorkers<C, S>(onAlone: () => void): Promise<Member<C, S>> {
  const started = Promise.withResolvers<WorkerStart<C, S>>();
  const storesListeners: ((stores: S) => void)[] = [];
  let stores: S | undefined;
  let whole: WholeState = { isReady: false, isRegistered: false };
  let own: OwnAnswers | undefined;
  const send = (message: FromWorker) => {
    if (process.connected) process.send?.(message);
  };
  const questions = createQuestions(send, async (question) => {
    if (own === undefined) throw new Error("it is starting");
    return question.about === "figures" ? await own.figures(question.request) : own.holderOf(question.ticket);
  });

  function take(message: ToWorker<C, S>): void {
    if (message.kind === "start") {
      whole = message.start.whole;
      started.resolve(message.start);
    } else if (message.kind === "whole") whole = message.whole;
    else if (message.kind === "ping") send({ kind: "pong" });
    else if (message.kind === "stores") {
      stores = message.stores;
      for (const listener of storesListeners) listener(stores);
    } else questions.take(message);
  }
  const end = () => {
    questions.close();
    onAlone();
  };
  process.on("message", take);
  process.once("disconnect", end);
  send({ kind: "hello" });
  const start = await started.promise;
  const descriptions = new Map(start.descriptions);
  return {
    start,
    siblings: {
      share: start.port === undefined ? "first" : "more",
      listensWhenReady: start.listensWhenReady,
      whole: () => whole,
      registered: () => send({ kind: "registered" }),
      descriptions: {
        read: (store) => descriptions.get(store),
        write(store, description) {
          descriptions.set(store, description);
          send({ kind: "described", store, description });
        },
      },
      answerWith(answers) {
        own = answers;
      },
      figures: async (request) => (await questions.ask({ about: "figures", request }, askTimeoutMs)) as string,
      holderOf: async (ticket) =>
        (await questions.ask({ about: "ticket", ticket }, askTimeoutMs)) as HeldTicket | undefined,
    },
    listening: (place) => send({ kind: "listening", ...place }),
    ready: () => send({ kind: "ready" }),
    onStores(listener) {
      storesListeners.push(listener);
      // What came while the gateway was starting.
      if (stores !== undefined) listener(stores);
    },
    leave() {
      process.off("disconnect", end);
      process.off("message", take);
      if (process.connected) process.disconnect();
    },
  };
}
