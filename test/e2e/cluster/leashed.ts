/**
 * A process that can't outlive us: however we end, by exit, signal or SIGKILL, it is told to stop.
 *
 * A shell stands between. It holds our end of a pipe as its input and ends the program when that
 * closes, which the kernel does for us. The group is the program's own: a Ctrl-C at the terminal
 * reaches us alone, and we decide.
 */
import { spawn } from "node:child_process";
import { closeSync, openSync, readFileSync } from "node:fs";

/** What is started. */
export interface Leashed {
  readonly name: string;
  /** Its process group: its own id is the shell's. */
  readonly group: number;
  /** Resolves with its code when it ended. */
  readonly ended: Promise<number>;
  /** The last lines that it wrote. */
  tail(): string;
  /** SIGTERM, later SIGKILL; waits. */
  stop(): Promise<void>;
}

/** SIGTERM; what still runs after this long has lost its right to an orderly end. */
const graceSeconds = 5;
const tailLines = 20;
const script = `
exec 3<&0
"$@" </dev/null 3<&- &
pid=$!
( cat <&3 >/dev/null; kill -TERM $pid; for i in $(seq ${graceSeconds}0); do kill -0 $pid || exit; sleep 0.1; done; kill -KILL $pid ) >/dev/null 2>&1 &
leash=$!
wait $pid
code=$?
kill -KILL $leash 2>/dev/null
exit $code
`;

/** Starts a program whose output goes to a file. */
export function startLeashed(
  name: string,
  command: readonly string[],
  options: { readonly logFile: string; readonly cwd: string },
): Leashed {
  const log = openSync(options.logFile, "a");
  const child = spawn("/bin/sh", ["-c", script, name, ...command], {
    cwd: options.cwd,
    detached: true,
    stdio: ["pipe", log, log],
  });
  closeSync(log);
  const ended = new Promise<number>((resolve, reject) => {
    child.once("error", reject);
    child.once("exit", (code) => resolve(code ?? 1));
  });
  // Whoever starts it looks at `ended`; until then a failure is no unhandled one.
  ended.catch(() => {});
  child.stdin?.on("error", () => {});
  // It holds no event loop open: a test that forgets to stop it still ends.
  child.unref();
  return {
    name,
    group: child.pid ?? 0,
    ended,
    tail: () => readFileSync(options.logFile, "utf8").trimEnd().split("\n").slice(-tailLines).join("\n"),
    async stop() {
      child.ref();
      child.stdin?.end();
      await ended;
    },
  };
}
