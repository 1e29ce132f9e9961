/**
 * A port, alone or together with other processes.
 *
 * Processes that share a port each have a socket and a queue of their own, and the kernel spreads new
 * connections over them (SO_REUSEPORT; Linux and the BSDs). It lets in whoever runs as the same user: a
 * second gateway that is started by mistake would take half of the connections without a word. So the
 * first of those that belong together asks for the port alone, which fails as it does for one process,
 * and gives it back before it shares it.
 * Source: socket(7), SO_REUSEPORT; Node's net.
 */
import { once } from "node:events";
import { createServer, type ListenOptions, type Server } from "node:net";

/** Who listens at a shared port: the first of its processes, or one more. */
export type PortShare = "first" | "more";

/** Where to listen. `share` undefined: alone. */
export interface PortOptions extends Pick<ListenOptions, "host" | "port" | "backlog"> {
  readonly share?: PortShare | undefined;
}

/** Begins to listen. @throws the system's error: EADDRINUSE, EACCES; ENOTSUP where ports can't be shared. */
export async function bindPort(server: Server, { share, host, port, backlog }: PortOptions): Promise<void> {
  const place = { host, port, backlog };
  if (share === "first" && port !== 0) {
    const alone = createServer((socket) => socket.destroy());
    await begin(alone, { ...place, backlog: 1 });
    alone.close();
    await once(alone, "close");
  }
  await begin(server, share === undefined ? place : { ...place, reusePort: true });
}

async function begin(server: Server, options: ListenOptions): Promise<void> {
  server.listen(options);
  await once(server, "listening");
}
