/** Why the host cluster gave no good answer. */

/** No answer (code 0), or one that says no. Its text is for the log: it names the host's objects. */
export class KubeError extends Error {
  override readonly name = "KubeError";
  /** HTTP status; 0: there was no answer, or none that could be read. */
  readonly code: number;
  /** The Status's word, `""` if it has none. */
  readonly reason: string;
  /** Undefined: the host didn't say. */
  readonly retryAfterMs: number | undefined;

  constructor(
    message: string,
    code: number,
    more: { readonly reason?: string; readonly retryAfterMs?: number | undefined; readonly cause?: unknown } = {},
  ) {
    super(message, more.cause === undefined ? undefined : { cause: more.cause });
    this.code = code;
    this.reason = more.reason ?? "";
    this.retryAfterMs = more.retryAfterMs;
  }

  /** Gives the error itself, or one with code 0 around what broke on the way. */
  static from(error: unknown, what: string): KubeError {
    if (error instanceof KubeError) return error;
    return new KubeError(`${what}: ${(error as Error).message}`, 0, { cause: error });
  }
}

/** Longest text of an answer that goes into a message. */
const maxTextChars = 200;

/** Gives the error for an answer's code, Retry-After and text: a Status's message, or the text itself. */
export function kubeErrorOf(code: number, retryAfter: string | undefined, text: string): KubeError {
  const status = statusOf(text);
  const seconds = retryAfter !== undefined && /^\d{1,6}$/.test(retryAfter) ? Number(retryAfter) : undefined;
  const message = status?.message ?? (text.trim().slice(0, maxTextChars) || "no text");
  return new KubeError(`the answer was ${code}: ${message}`, code, {
    reason: status?.reason ?? "",
    retryAfterMs: seconds === undefined ? undefined : seconds * 1000,
  });
}

function statusOf(text: string): { readonly message?: string; readonly reason?: string } | undefined {
  try {
    const value = JSON.parse(text) as { kind?: unknown; message?: string; reason?: string } | null;
    return value?.kind === "Status" ? value : undefined;
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    return undefined;
  }
}
