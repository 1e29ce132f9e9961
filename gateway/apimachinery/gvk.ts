/**
 * Group, version, kind and resource, and how Kubernetes writes them.
 *
 * Source: apimachinery pkg/runtime/schema.
 */

/** A schema's full name: `gateway.networking.k8s.io`, `v1`, `HTTPRoute`. The core group is `""`. */
export interface GroupVersionKind {
  readonly group: string;
  readonly version: string;
  readonly kind: string;
}

/** A URL's full name: `gateway.networking.k8s.io`, `v1`, `httproutes`. */
export interface GroupVersionResource {
  readonly group: string;
  readonly version: string;
  readonly resource: string;
}

/** Gives `group/version`, or `version` alone for the core group. */
export function formatGroupVersion(group: string, version: string): string {
  return group === "" ? version : `${group}/${version}`;
}

/** Gives `word.group`, or the word alone for the core group: the form of messages. */
export function formatGroupWord(word: string, group: string): string {
  return group === "" ? word : `${word}.${group}`;
}

/**
 * Splits an apiVersion.
 * @throws Error `unexpected GroupVersion string: <text>` if it has more than one slash.
 */
export function parseGroupVersion(apiVersion: string): { group: string; version: string } {
  const parts = apiVersion.split("/");
  if (parts.length === 1) return { group: "", version: apiVersion };
  if (parts.length === 2) return { group: parts[0] ?? "", version: parts[1] ?? "" };
  throw new Error(`unexpected GroupVersion string: ${apiVersion}`);
}
