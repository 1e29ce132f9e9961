/** The processes that serve together, as their supervisor sees them. */
import { counter, type Family, gauge } from "./family.ts";

/** Takes what the supervisor tells. */
export interface WorkersMetrics {
  readonly families: readonly Family[];
  counted(workers: { readonly starting: number; readonly ready: number }): void;
  died(): void;
  /** Takes how many did not say their figures in time. */
  silent(workers: number): void;
}

/** Makes the families. */
export function createWorkersMetrics(): WorkersMetrics {
  const workers = gauge({
    name: "annex_workers",
    help: "Processes that serve this port, by whether they are ready.",
    labels: ["state"],
  });
  const deaths = counter({
    name: "annex_worker_deaths_total",
    help: "Processes that ended while the others went on; each is replaced.",
    labels: [],
  });
  const silent = gauge({
    name: "annex_workers_silent",
    help: "Processes that did not say their figures in time: of them only what they counted until an earlier look is in these.",
    labels: [],
  });
  deaths.with();
  return {
    families: [workers, deaths, silent],
    counted({ starting, ready }) {
      workers.with("starting").set(starting);
      workers.with("ready").set(ready);
    },
    died: () => deaths.with().add(),
    silent: (count) => silent.with().set(count),
  };
}
