/** What went wrong as a sentence for whoever typed the command: the system's code isn't one. */

/** Gives the sentence for an error of starting. */
export function sentenceFor(error: unknown): string {
  const { code, message, address, port } = error as NodeJS.ErrnoException & { address?: string; port?: number };
  if (code === "EADDRINUSE") return `port ${port} of ${address} is in use by another process`;
  if (code === "EADDRNOTAVAIL") return `${address} is no address of this machine`;
  if (code === "EACCES" && port !== undefined) return `port ${port} of ${address} needs rights that this user lacks`;
  return message;
}
