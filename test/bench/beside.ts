/** What others feel of a load: a small read again and again beside it, and the gateway's event loop. */
import type { Figure } from "./row.ts";
import type { LoopReading, Subject } from "./subject.ts";

/** Reads of a steady client: ten a second would miss short stalls. */
const everyMs = 5;
/** What a loop under load may take at p99. */
const maxLoopP99Ms = 50;

/** A steady reader. */
export interface Beside {
  /** Ends it. @throws Error if one of its reads failed. */
  stop(what: string): Promise<readonly Figure[]>;
}

/** Starts to read. */
export async function readBeside(subject: Subject): Promise<Beside> {
  const client = subject.client();
  const took: number[] = [];
  const failures = new Map<string, number>();
  let isStopping = false;
  const running = (async () => {
    while (!isStopping) {
      try {
        const { status, ms } = await client.ask({ path: "/version" });
        if (status === 200) took.push(ms);
        else count(`status ${status}`);
      } catch (error) {
        count((error as Error).message);
      }
      await new Promise<void>((resolve) => setTimeout(resolve, everyMs));
    }
  })();
  function count(what: string): void {
    failures.set(what, (failures.get(what) ?? 0) + 1);
  }
  return {
    async stop(what) {
      isStopping = true;
      await running;
      client.close();
      if (failures.size > 0) {
        throw new Error(
          `reads beside failed: ${[...failures].map(([text, times]) => `${times} × ${text}`).join(", ")}`,
        );
      }
      took.sort((a, b) => a - b);
      return [
        { what: named(what, "small read beside, p99"), unit: "ms", annex: percentile(took, 0.99) },
        { what: named(what, "small read beside, max"), unit: "ms", annex: took.at(-1) ?? 0 },
      ];
    },
  };
}

/** Gives what the probe read as figures. */
export function loopFigures(what: string, reading: LoopReading): readonly Figure[] {
  const { p50, p99, max, busyP99, busyMax } = reading;
  return [
    { what: named(what, "event-loop delay, p50"), unit: "ms", annex: p50 },
    { what: named(what, "event-loop delay, p99"), unit: "ms", annex: p99, target: { atMost: maxLoopP99Ms } },
    { what: named(what, "event-loop delay, max"), unit: "ms", annex: max },
    { what: named(what, "CPU between turns, p99"), unit: "ms", annex: busyP99 },
    { what: named(what, "CPU between turns, max"), unit: "ms", annex: busyMax },
  ];
}

function named(what: string, figure: string): string {
  return what === "" ? figure : `${what}: ${figure}`;
}

/** `sorted` ascending. */
function percentile(sorted: readonly number[], share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
}
