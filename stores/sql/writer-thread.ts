/**
 * The thread of the one writer, so that no fsync stops the event loop: requests in, answers out.
 */
import { parentPort, workerData } from "node:worker_threads";
import { openLogWriter } from "./log-writer.ts";
import type { WriterAnswer, WriterRequest } from "./writes.ts";

const port = parentPort;
if (port === null) throw new Error("the writer runs in a worker thread");
const writer = openLogWriter(workerData as string);

const answer = (message: WriterAnswer): void => port.postMessage(message);

answer({ type: "opened", ...writer.incarnation() });
port.on("message", (request: WriterRequest) => {
  switch (request.type) {
    case "batch":
      return answer(writer.write(request.writes));
    case "compact":
      return answer(writer.compact(request.upTo, request.before));
    case "begin":
      return answer(writer.begin(request.above));
    case "close":
      writer.close();
      answer({ type: "closed" });
      port.close();
  }
});
