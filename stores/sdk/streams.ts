/**
 * A stream's messages as what its author reads and writes, and back.
 *
 * Nothing is read ahead and nothing is written ahead: each side asks for the next when it has dealt
 * with the one before.
 */
import type { MessageInitShape } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import type { InvokeRequest, StreamRequest, StreamResponseSchema } from "../../gen/annex/store/v1/action_pb.js";
import { ErrorDetailSchema } from "../../gen/annex/store/v1/error_pb.js";
import { unavailable } from "./errors.ts";
import type { AcceptedStream, StreamInput, StreamOutput } from "./store.ts";

export type ResponseInit = MessageInitShape<typeof StreamResponseSchema>;

/** Bytes of one message, by the contract. */
const maxDataBytes = 64 * 1024;
/** Of the remote command protocols those that can tell an exit code, the newest first. */
const remoteCommands = ["v5.channel.k8s.io", "v4.channel.k8s.io"];

/** Reads the first message. @throws ConnectError INVALID_ARGUMENT if it opens nothing. */
export async function openedBy(
  incoming: AsyncIterator<StreamRequest>,
): Promise<{ readonly request: InvokeRequest; readonly protocols: readonly string[] }> {
  const first = await incoming.next();
  const frame = first.done === true ? undefined : first.value.frame;
  if (frame?.case !== "open" || frame.value.request === undefined) {
    throw new ConnectError("the first frame is not an open", Code.InvalidArgument);
  }
  return { request: frame.value.request, protocols: frame.value.subprotocols };
}

/** Gives what the client sends. */
export async function* inputFrom(incoming: AsyncIterator<StreamRequest>): AsyncIterable<StreamInput> {
  for (let next = await incoming.next(); next.done !== true; next = await incoming.next()) {
    const { frame } = next.value;
    if (frame.case === "close") return;
    if (frame.case === "resize") yield { width: frame.value.width, height: frame.value.height };
    if (frame.case !== "data") continue;
    if (frame.value.data.length > 0) yield { data: frame.value.data };
    if (frame.value.end) yield { end: true };
  }
}

/** Gives what the client gets: the yes, the bytes, and how it ended. `guard` makes errors of the contract of others. */
export async function* responsesOf(
  { output, protocol }: AcceptedStream,
  protocols: readonly string[],
  signal: AbortSignal,
  guard: <T>(work: () => Promise<T>) => Promise<T>,
): AsyncGenerator<ResponseInit> {
  const newest = remoteCommands.find((name) => protocols.includes(name));
  yield { frame: { case: "accept", value: { subprotocol: protocol ?? newest ?? "" } } };
  const stopped = stoppedBy(signal);
  try {
    for (;;) {
      const next = await guard(() => Promise.race([output.next(), stopped.promise]));
      if (next.done === true) {
        yield { frame: { case: "close", value: { exitCode: next.value } } };
        return;
      }
      yield* dataOf(next.value);
    }
  } catch (error) {
    const failed = ConnectError.from(error);
    const detail = failed.findDetails(ErrorDetailSchema)[0];
    yield { frame: { case: "close", value: { error: detail ?? {}, errorCode: failed.code } } };
  } finally {
    stopped.forget();
    // Its own `finally` runs; one that never settles is not waited for.
    void output.return(0).catch(() => {});
  }
}

function* dataOf({ channel = 1, data }: StreamOutput): Generator<ResponseInit> {
  for (let at = 0; at < data.length; at += maxDataBytes) {
    const piece = data.subarray(at, at + maxDataBytes);
    yield { frame: { case: "data", value: { channel, data: piece } } };
  }
}

/** A promise that rejects once the signal is aborted. */
function stoppedBy(signal: AbortSignal): { readonly promise: Promise<never>; forget(): void } {
  const { promise, reject } = Promise.withResolvers<never>();
  const onAbort = (): void => reject(unavailable("the stream was ended"));
  promise.catch(() => {});
  if (signal.aborted) onAbort();
  else signal.addEventListener("abort", onAbort, { once: true });
  return { promise, forget: () => signal.removeEventListener("abort", onAbort) };
}
