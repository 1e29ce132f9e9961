/**
 * How long a request may take, and which requests have no such limit.
 *
 * Source: apiserver pkg/endpoints/filters/request_deadline.go, pkg/server/filters/longrunning.go.
 */
import { parseGoDurationMs } from "../apimachinery/go-text.ts";
import type { RequestInfo } from "../apimachinery/request-info.ts";
import { badRequest } from "../apimachinery/status.ts";
import { type Query, textOf } from "./query.ts";

/** The longest that an ordinary request may take, in milliseconds: kube-apiserver's own. */
export const maxRequestMs = 60_000;

/**
 * Gives the time that a request has, in milliseconds from its arrival: `?timeout=`, or the maximum
 * if that is missing, not positive or longer. Not for long-running requests, which ignore it.
 * @throws StatusError 400 for a timeout that is no Go duration.
 */
export function requestDeadlineMs(query: Query): number {
  const value = textOf(query, "timeout");
  if (value === "") return maxRequestMs;
  try {
    const asked = parseGoDurationMs(value);
    return asked > 0 && asked < maxRequestMs ? asked : maxRequestMs;
  } catch (error) {
    throw badRequest(`invalid timeout specified in the request URL - ${(error as Error).message}`);
  }
}

/** Whether a request may last: no deadline, no seat among those in flight. */
export function isLongRunning(info: RequestInfo): boolean {
  return info.isResourceRequest && (info.verb === "watch" || info.verb === "proxy");
}
