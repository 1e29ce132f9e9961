/** Where an API is, whom to trust there, and who we are to it. */

/** A text that is given, or a file that holds it and may change. */
export type Source = { readonly text: string } | { readonly file: string };

/** What a kubeconfig, or a pod's service account, says. */
export interface KubeEndpoint {
  /** `https:`, with a path where the API is mounted under one. */
  readonly server: URL;
  /** The name that the server's certificate must have. Undefined: the URL's. */
  readonly serverName: string | undefined;
  /** PEM bundle. Undefined: the authorities that Node knows. */
  readonly ca: Source | undefined;
  /** Whoever answers is believed: for trials, never for a cluster. */
  readonly skipVerify: boolean;
  readonly clientCertificate: Source | undefined;
  readonly clientKey: Source | undefined;
  readonly token: Source | undefined;
}
