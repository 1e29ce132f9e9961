/** Kubernetes' field manager as a process: a scenario a line in, its outcomes out. */
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import type { Outcome, Scenario } from "../../../gateway/apply/scenario.fixture.ts";

/** The running process. */
export interface GoFieldManager {
  /** Runs a scenario; one at a time. @throws Error what Go says against it. */
  run(scenario: Scenario): Promise<Outcome[]>;
  close(): void;
}

/** What is kept of what the program logs, to tell why it ended: it logs each object that it can't track. */
const maxLogLength = 4096;

/** Starts the program. */
export function startFieldManager(path: string): GoFieldManager {
  const child = spawn(path, { stdio: ["pipe", "pipe", "pipe"] });
  let log = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    log = (log + text).slice(-maxLogLength);
  });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  return {
    async run(scenario) {
      child.stdin.write(`${JSON.stringify(scenario)}\n`);
      const line = await lines.next();
      if (line.done === true) throw new Error(`the field manager has ended:\n${log}`);
      const answer = JSON.parse(line.value) as { outcomes?: Outcome[]; error?: string };
      if (answer.outcomes === undefined) throw new Error(answer.error);
      return answer.outcomes;
    },
    close: () => child.stdin.end(),
  };
}
