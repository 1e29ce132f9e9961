/** What the process around a store knows. */
export interface ServingState {
  /** Aborted from the stop signal on: streams end, calls in flight are finished. */
  readonly stopping: AbortSignal;
  log(fields: object, message: string): void;
}
