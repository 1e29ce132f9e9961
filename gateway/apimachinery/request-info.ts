/**
 * What a URL and a method say, in Kubernetes' words.
 *
 * Source: apiserver pkg/endpoints/request/requestinfo.go.
 */

/** The attributes of one request. Empty strings mean "none". */
export interface RequestInfo {
  readonly isResourceRequest: boolean;
  /** The decoded path of a request that is about no resource, else the decoded path as well. */
  readonly path: string;
  /** A Kubernetes verb for resources; the lower-case method otherwise. */
  readonly verb: string;
  /** `api` or `apis`. */
  readonly apiPrefix: string;
  readonly apiGroup: string;
  readonly apiVersion: string;
  readonly namespace: string;
  readonly resource: string;
  readonly subresource: string;
  readonly name: string;
  /** Path segments from the resource on: resource, name, subresource, and whatever follows. */
  readonly parts: readonly string[];
  /** True for the deprecated `/watch/` prefix. */
  readonly legacyWatch: boolean;
  /** Raw selectors of list, watch and deletecollection, for the authorizer. */
  readonly fieldSelector: string;
  readonly labelSelector: string;
}
