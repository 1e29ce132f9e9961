/**
 * The id under which a request is logged and audited, on both sides of an aggregator.
 *
 * Source: apiserver pkg/endpoints/filters/audit_init.go.
 */

/** Gives the Audit-ID header as it came, whatever its form or length, else a new id. */
export function auditIdOf(header: string | undefined, uuid: () => string): string {
  return header === undefined || header === "" ? uuid() : header;
}
