/** Waits for something that other processes or sockets bring about. */

/** Long enough for a busy machine; a fault shows as the text, not as a hanging test. */
const defaultTimeoutMs = 20_000;
const everyMs = 20;

/** Waits until the condition holds. @throws Error with `what` if it doesn't in time. */
export async function eventually(
  condition: () => boolean | Promise<boolean>,
  what: string,
  { timeoutMs = defaultTimeoutMs }: { readonly timeoutMs?: number } = {},
): Promise<void> {
  const until = performance.now() + timeoutMs;
  while (!(await condition())) {
    if (performance.now() > until) throw new Error(`${what}: not so after ${timeoutMs / 1000} s`);
    await new Promise<void>((resolve) => setTimeout(resolve, everyMs));
  }
}
