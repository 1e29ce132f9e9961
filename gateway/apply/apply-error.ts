/**
 * What can be wrong with an object or a set in the eyes of apply, in Kubernetes' words.
 *
 * An update survives it without managedFields; an apply is refused.
 */
export class ApplyError extends Error {
  override readonly name: string = "ApplyError";
}
