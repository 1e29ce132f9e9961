/**
 * The limit: a raw node:https server that answers each path with the bytes it was given for it, and does
 * nothing else. Started with a channel, over which the bytes come and its port goes back.
 */
import { readFileSync } from "node:fs";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";

/** What it is told, once. */
export interface RawAnswers {
  readonly certFile: string;
  readonly keyFile: string;
  /** By path with its query; text of JSON. */
  readonly answers: Readonly<Record<string, string>>;
}

process.once("message", ({ certFile, keyFile, answers }: RawAnswers) => {
  const bodies = new Map(Object.entries(answers).map(([path, text]) => [path, Buffer.from(text)]));
  const options = { cert: readFileSync(certFile), key: readFileSync(keyFile) };
  const server = createServer(options, (request, response) => {
    const body = bodies.get(request.url ?? "");
    if (body === undefined) {
      response.writeHead(404).end();
      return;
    }
    response.writeHead(200, { "Content-Type": "application/json", "Content-Length": body.length }).end(body);
  });
  // A connection that waits for its turn is not closed under its next request.
  server.keepAliveTimeout = 0;
  server.listen(0, "127.0.0.1", () => process.send?.((server.address() as AddressInfo).port));
});
process.once("disconnect", () => process.exit(0));
