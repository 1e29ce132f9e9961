/** The port: connections, handshakes that failed, and until when its certificate is good. */
import { type Family, gauge, toldCounter } from "./family.ts";

/** How a listener is now. */
export interface ListenerFigures {
  readonly connections: number;
  /** Since it listens. */
  readonly failedHandshakes: number;
  /** When its serving certificate ends to be good. */
  readonly certificateEnd: Date;
}

/** Takes what is so now. */
export interface ListenerMetrics {
  readonly families: readonly Family[];
  /** @param figures undefined: there is no listener. */
  read(figures: ListenerFigures | undefined): void;
}

/** Makes the families. */
export function createListenerMetrics(): ListenerMetrics {
  const connections = gauge({
    name: "annex_connections",
    help: "Connections that clients have open.",
    labels: [],
    whole: "sum",
  });
  const failed = toldCounter({
    name: "apiserver_tls_handshake_errors_total",
    help: "Connections that ended before their TLS handshake.",
    labels: [],
  });
  const end = gauge({
    name: "annex_serving_certificate_expiration_timestamp_seconds",
    help: "When the serving certificate ends to be good, in seconds since 1970.",
    labels: [],
    whole: "min",
  });
  return {
    families: [connections, failed, end],
    read(figures) {
      if (figures === undefined) return;
      connections.with().set(figures.connections);
      failed.with().set(figures.failedHandshakes);
      end.with().set(figures.certificateEnd.getTime() / 1000);
    },
  };
}
