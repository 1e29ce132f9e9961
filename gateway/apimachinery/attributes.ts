/** What an authorizer is asked: may this user do this? Source: apiserver pkg/authorization/authorizer/interfaces.go. */
import type { User } from "./user.ts";

/** One question. Empty strings mean "none". */
export interface Attributes {
  readonly user: User;
  readonly verb: string;
  readonly isResourceRequest: boolean;
  /** Decoded. What counts for requests that are about no resource. */
  readonly path: string;
  readonly apiGroup: string;
  readonly apiVersion: string;
  readonly resource: string;
  readonly subresource: string;
  readonly namespace: string;
  readonly name: string;
  /** As sent, for authorizers that narrow a permission to a selection. */
  readonly fieldSelector: string;
  readonly labelSelector: string;
}
