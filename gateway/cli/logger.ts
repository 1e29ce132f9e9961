/** Logs as JSON lines on stderr; pretty only for a person at a terminal. */
import { type Logger, pino } from "pino";
import pretty from "pino-pretty";

/** Makes the logger. Credentials never come near it: what a request carries is not logged. */
export function createLogger(level: string): Logger {
  const destination = process.stderr.isTTY
    ? pretty({ destination: 2, sync: true, ignore: "pid,hostname" })
    : pino.destination({ fd: 2, sync: false });
  return pino({ level, base: null }, destination);
}
