/**
 * What can be wrong with an object or a set in the eyes of apply, in Kubernetes' words.
 *
 * An update survives it without managedFields; an apply is refused.
 */
export class ApplyError extends Error {
  override readonly name: string = "ApplyError";
}

/** Has what is wrong begin with these words. */
export function withPrefix<T>(prefix: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (!(error instanceof ApplyError)) throw error;
    throw new ApplyError(prefix + error.message, { cause: error });
  }
}
