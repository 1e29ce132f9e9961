/**
 * How a stream's channels lie in the messages of a WebSocket.
 *
 *     v4.channel.k8s.io   a message is its channel's byte and bytes: 0 stdin, 1 stdout, 2 stderr,
 *                         3 the Status that ends it, 4 the terminal's size as JSON
 *     v5.channel.k8s.io   and 255 with a channel's byte: nothing more comes on that channel
 *     anything else       messages are the bytes of channel 0, both ways
 *
 * Source: apimachinery pkg/util/remotecommand; kubelet pkg/cri/streaming/remotecommand; client-go
 * tools/remotecommand/websocket.go.
 */
import type { SocketMessage } from "../apimachinery/http.ts";
import { encodeJsonBytes, type JsonObject } from "../apimachinery/json.ts";
import { type Status, statusToJson } from "../apimachinery/status.ts";
import type { StreamInput } from "../registry/registry.ts";

/** How a stream ended: an exit code, a Status, or neither if it ended well. */
export interface StreamEnd {
  readonly exitCode: number | undefined;
  readonly error: Status | undefined;
}

/** What a WebSocket is told at the end. */
export interface SocketEnd {
  readonly message: Uint8Array | undefined;
  readonly code: number;
  readonly reason: string;
}

/** One way to lay channels into messages. */
export interface Framing {
  /** What tells the client that the stream stands; undefined: nothing. */
  greeting(query: ReadonlyMap<string, readonly string[]>): Uint8Array | undefined;
  read(message: SocketMessage): readonly StreamInput[];
  write(channel: number, data: Uint8Array): Uint8Array;
  end(end: StreamEnd): SocketEnd;
}

const channels = { stdin: 0, stdout: 1, stderr: 2, status: 3, resize: 4, close: 255 };
/** A stream's frames are no larger. */
const maxFrameBytes = 64 * 1024;

/** Gives the framing of a subprotocol. */
export function framingOf(protocol: string): Framing {
  if (protocol === "v4.channel.k8s.io") return remoteCommand(false);
  return protocol === "v5.channel.k8s.io" ? remoteCommand(true) : plainBytes;
}

function remoteCommand(canClose: boolean): Framing {
  return {
    greeting(query) {
      const asks = (name: string) => ["true", "1"].includes(query.get(name)?.[0] ?? "");
      const channel = asks("stdout") ? channels.stdout : asks("stderr") ? channels.stderr : channels.status;
      return Uint8Array.of(channel);
    },
    read({ data }) {
      const rest = data.subarray(1);
      if (data[0] === channels.stdin) return dataFrames(rest);
      if (data[0] === channels.resize) return sizeFrames(rest);
      if (data[0] === channels.close && canClose && rest[0] === channels.stdin) return [endOfInput];
      return [];
    },
    write: channelMessage,
    end: (end) => ({ message: channelMessage(channels.status, statusBytes(end)), code: 1000, reason: "" }),
  };
}

const plainBytes: Framing = {
  greeting: () => undefined,
  read: ({ data }) => dataFrames(data),
  write: (_channel, data) => data,
  end: ({ error, exitCode }) =>
    error === undefined && (exitCode ?? 0) === 0
      ? { message: undefined, code: 1000, reason: "" }
      : { message: undefined, code: 1011, reason: error?.message ?? `exit code ${exitCode}` },
};

const endOfInput: StreamInput = { frame: "data", channel: 0, data: new Uint8Array(), end: true };

function dataFrames(data: Uint8Array): StreamInput[] {
  const frames: StreamInput[] = [];
  for (let at = 0; at < data.length; at += maxFrameBytes) {
    frames.push({ frame: "data", channel: 0, data: data.subarray(at, at + maxFrameBytes), end: false });
  }
  return frames;
}

/** A size that can't be read is left out, as kubelet does. */
function sizeFrames(data: Uint8Array): StreamInput[] {
  try {
    const { Width: width, Height: height } = JSON.parse(Buffer.from(data).toString());
    return isUint16(width) && isUint16(height) ? [{ frame: "resize", width, height }] : [];
  } catch (error) {
    if (error instanceof SyntaxError || error instanceof TypeError) return [];
    throw error;
  }
}

function isUint16(value: unknown): value is number {
  return Number.isInteger(value) && (value as number) >= 0 && (value as number) < 65_536;
}

function channelMessage(channel: number, data: Uint8Array): Uint8Array {
  const message = new Uint8Array(data.length + 1);
  message[0] = channel;
  message.set(data, 1);
  return message;
}

function statusBytes({ exitCode, error }: StreamEnd): Uint8Array {
  return encodeJsonBytes(error === undefined ? exitStatus(exitCode ?? 0) : statusToJson(error));
}

/** As kubelet tells an exit code; clients read it from the cause. */
function exitStatus(exitCode: number): JsonObject {
  if (exitCode === 0) return { metadata: {}, status: "Success" };
  return {
    metadata: {},
    status: "Failure",
    message: `command terminated with non-zero exit code: exit status ${exitCode}`,
    reason: "NonZeroExitCode",
    details: { causes: [{ reason: "ExitCode", message: String(exitCode) }] },
  };
}
