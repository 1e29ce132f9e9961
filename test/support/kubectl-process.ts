/** A kubectl that goes on: a watch, a wait, a delete that waits. What it says is awaited, never slept for. */
import { spawn } from "node:child_process";
import { kubectlPath } from "./kubectl.ts";

/** A kubectl that runs. */
export interface KubectlProcess {
  /** Resolves with what was said on both streams once that matches. @throws Error if it ends before, or the time is over. */
  said(pattern: RegExp): Promise<string>;
  /** Resolves with the exit code and all that was said. */
  readonly ended: Promise<{ readonly code: number; readonly output: string }>;
  hasEnded(): boolean;
  stop(): void;
}

/** Far above what a busy machine needs for one answer. */
const patienceMs = 60_000;

/** Starts kubectl with a kubeconfig. */
export function startKubectl(args: readonly string[], { kubeconfig }: { readonly kubeconfig: string }): KubectlProcess {
  const all = ["--kubeconfig", kubeconfig, "--cache-dir", `${kubeconfig}.cache`, ...args];
  const child = spawn(kubectlPath(), all, { stdio: ["ignore", "pipe", "pipe"] });
  let output = "";
  let code: number | undefined;
  const listeners = new Set<() => void>();
  const take = (text: string) => {
    output += text;
    for (const listener of listeners) listener();
  };
  child.stdout.setEncoding("utf8").on("data", take);
  child.stderr.setEncoding("utf8").on("data", take);
  const ended = new Promise<{ code: number; output: string }>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (exitCode) => {
      code = exitCode ?? 1;
      for (const listener of listeners) listener();
      resolve({ code, output });
    });
  });
  return {
    ended,
    hasEnded: () => code !== undefined,
    stop: () => child.kill("SIGTERM"),
    async said(pattern) {
      return await new Promise<string>((resolve, reject) => {
        const fail = (how: string) => {
          done();
          reject(new Error(`kubectl ${args.join(" ")} ${how}, it did not say ${pattern}:\n${output}`));
        };
        const late = setTimeout(() => fail("is too slow"), patienceMs);
        const done = () => {
          clearTimeout(late);
          listeners.delete(look);
        };
        const look = () => {
          if (pattern.test(output)) {
            done();
            resolve(output);
          } else if (code !== undefined) fail(`ended with ${code}`);
        };
        listeners.add(look);
        look();
      });
    },
  };
}
