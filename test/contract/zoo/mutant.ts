/** A deliberately broken store: what it does wrong, where that was seen, and which promise it breaks. */
import type { Interceptor } from "@connectrpc/connect";
import type { Store } from "../../../stores/sdk/sdk.ts";
import { honestStore, type WholeStore } from "./honest.ts";

/** One mutant. */
export interface Mutant {
  readonly name: string;
  /** What it does wrong, as a sentence. */
  readonly does: string;
  /** The public bug, or the rule of the contract. */
  readonly seen: string;
  /** Promises of which one must catch it. */
  readonly breaks: readonly string[];
  /** Makes it: one store for each endpoint. */
  make(): readonly { readonly store: Store; readonly interceptors?: readonly Interceptor[] }[];
}

/** A mutant of one endpoint that differs from an honest store in a few functions. */
export function mutant<Base extends Store = WholeStore>(
  name: string,
  does: string,
  seen: string,
  breaks: string | readonly string[],
  change: (honest: Base) => Partial<Store>,
  base: () => Base = honestStore as unknown as () => Base,
): Mutant {
  const list = typeof breaks === "string" ? [breaks] : breaks;
  return {
    name,
    does,
    seen,
    breaks: list,
    make() {
      const honest = base();
      return [{ store: { ...honest, ...change(honest) } }];
    },
  };
}

/** Gives a function that is true once in `count` calls. */
export function onceIn(count: number): () => boolean {
  let calls = 0;
  return () => {
    calls += 1;
    return calls % count === 0;
  };
}

/** Waits for some milliseconds. */
export async function pause(ms: number): Promise<void> {
  await new Promise<void>((resolve) => setTimeout(resolve, ms));
}
