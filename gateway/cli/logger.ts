/** Logs as JSON lines on stderr; pretty only for a person at a terminal. */
import { type Logger, pino } from "pino";
import pretty from "pino-pretty";

/** What the kernel writes to a pipe in one piece (PIPE_BUF of Linux), so that lines of several processes don't mix. */
const maxPieceBytes = 4096;

/**
 * Makes the logger. Credentials never come near it: what a request carries is not logged.
 * @param worker which of several processes each line is of. Undefined: there is one.
 */
export function createLogger(level: string, worker?: number): Logger {
  const destination = process.stderr.isTTY
    ? pretty({ destination: 2, sync: true, ignore: "pid,hostname" })
    : pino.destination({ fd: 2, sync: false, ...(worker === undefined ? {} : { maxWrite: maxPieceBytes }) });
  return pino({ level, base: worker === undefined ? null : { worker } }, destination);
}
