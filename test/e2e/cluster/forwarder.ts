/**
 * A TCP forwarder: what stands in front of replicas where there is no node to do it.
 *
 * A new connection goes to the next backend of the list, in turn; one that is taken off the list keeps
 * the connections that it has, as a Service's endpoints do.
 */
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";

/** A forwarder that listens on the loopback address. */
export interface Forwarder {
  readonly port: number;
  add(port: number): void;
  remove(port: number): void;
  close(): void;
}

/** Begins to listen. */
export async function startForwarder(): Promise<Forwarder> {
  const backends: number[] = [];
  const sockets = new Set<Socket>();
  let turn = 0;
  const follow = (socket: Socket, other: () => Socket) => {
    sockets.add(socket);
    socket.once("close", () => {
      sockets.delete(socket);
      other().destroy();
    });
    socket.on("error", () => socket.destroy());
  };
  const server = createServer({ allowHalfOpen: true }, (client) => {
    const port = backends[turn++ % backends.length];
    if (port === undefined) {
      client.destroy();
      return;
    }
    const backend = connect({ port, host: "127.0.0.1", allowHalfOpen: true });
    follow(client, () => backend);
    follow(backend, () => client);
    client.pipe(backend).pipe(client);
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    port: (server.address() as AddressInfo).port,
    add: (port) => void backends.push(port),
    remove: (port) => void backends.splice(backends.indexOf(port), 1),
    close() {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}
