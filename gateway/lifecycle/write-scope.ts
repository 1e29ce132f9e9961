/**
 * What lifecycle must know about a write: the resource, where the URL points, and through which door.
 */
import type { ServedResource } from "../apimachinery/resource.ts";

/** One write's surroundings. */
export interface WriteScope {
  readonly resource: ServedResource;
  /** The URL's namespace; `""` for a cluster-scoped resource. */
  readonly namespace: string;
  /** The name that the URL (or, on create, the object) gives; `""` if there is none yet. */
  readonly name: string;
  /** `status`: only the status may change. A write through scale is an ordinary one of the parent. */
  readonly subresource: "" | "status";
}

/** An object, and what its sender should be told about it. */
export interface WithWarnings<T> {
  readonly object: T;
  /** Texts of Warning headers, in order. */
  readonly warnings: readonly string[];
}
