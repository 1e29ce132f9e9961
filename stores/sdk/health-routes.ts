/**
 * gRPC health checking, for probes and clients: the whole process and each service are SERVING until
 * the drain begins.
 *
 * Source: grpc.health.v1.
 */
import type { DescService } from "@bufbuild/protobuf";
import { Code, ConnectError, type ConnectRouter } from "@connectrpc/connect";
import { Health, HealthCheckResponse_ServingStatus as Status } from "../../gen/grpc/health/v1/health_pb.js";
import type { ServingState } from "./serving-state.ts";

/** Registers health checking of the given services; `""` is the process. */
export function healthRoutes(services: readonly DescService[], state: ServingState): (router: ConnectRouter) => void {
  const names = ["", ...services.map((service) => service.typeName)];
  const status = () => (state.stopping.aborted ? Status.NOT_SERVING : Status.SERVING);
  return (router) => {
    router.service(Health, {
      check({ service }) {
        if (!names.includes(service)) throw new ConnectError(`unknown service "${service}"`, Code.NotFound);
        return { status: status() };
      },
      list: () => ({ statuses: Object.fromEntries(names.map((name) => [name, { status: status() }])) }),
      async *watch({ service }, { signal }) {
        if (!names.includes(service)) {
          yield { status: Status.SERVICE_UNKNOWN };
          await aborted([signal, state.stopping]);
          return;
        }
        yield { status: status() };
        if (state.stopping.aborted) return;
        await aborted([signal, state.stopping]);
        if (!signal.aborted) yield { status: status() };
      },
    });
  };
}

async function aborted(signals: readonly AbortSignal[]): Promise<void> {
  if (signals.some((signal) => signal.aborted)) return;
  await new Promise<void>((resolve) => {
    const done = () => {
      for (const signal of signals) signal.removeEventListener("abort", done);
      resolve();
    };
    for (const signal of signals) signal.addEventListener("abort", done, { once: true });
  });
}
