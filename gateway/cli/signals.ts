/** Waits for the signal to end; a second one ends at once. */

/** Resolves at the first SIGINT or SIGTERM. */
export async function stopSignal(): Promise<void> {
  await new Promise<void>((resolve) => {
    let isStopping = false;
    const stop = () => {
      if (isStopping) process.exit(1);
      isStopping = true;
      resolve();
    };
    process.on("SIGINT", stop);
    process.on("SIGTERM", stop);
  });
}
