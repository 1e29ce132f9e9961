/**
 * V8's young generation, no larger than it needs to be.
 *
 * On a machine with much memory V8 lets it double up to 128 MiB, and a burst of requests is enough for that; half of
 * it costs no more CPU, a quarter does. To say so is a flag for Node's command line, which a bin doesn't have. But the
 * factor by which it grows is read each time that it grows: it is 1 while the size is what it may be.
 * Source: V8's Heap::ExpandNewSpaceSize.
 */
import { PerformanceObserver } from "node:perf_hooks";
import { getHeapSpaceStatistics, setFlagsFromString } from "node:v8";

/** Both halves together. */
const defaultMaxBytes = 64 * 1024 * 1024;

/** Keeps it from growing beyond a size from now on. It may shrink, and grow again. */
export function limitYoungGeneration(maxBytes = defaultMaxBytes): void {
  let factor = 2;
  const look = (): void => {
    const wanted = youngBytes() < maxBytes ? 2 : 1;
    if (wanted === factor) return;
    factor = wanted;
    setFlagsFromString(`--semi-space-growth-factor=${factor}`);
  };
  new PerformanceObserver(look).observe({ entryTypes: ["gc"] });
}

/** Gives its size now. */
export function youngBytes(): number {
  return getHeapSpaceStatistics().find((space) => space.space_name === "new_space")?.space_size ?? 0;
}
