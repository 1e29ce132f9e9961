/** The API of the cluster that this pod runs in. Source: client-go rest.InClusterConfig. */
import { assertReadable } from "./connection.ts";
import type { KubeEndpoint } from "./endpoint.ts";

const serviceAccount = "/var/run/secrets/kubernetes.io/serviceaccount";

/**
 * Gives the endpoint that the kubelet describes by environment and mounted files.
 * @throws Error if this is no pod, or one without a service account's token.
 */
export function inClusterEndpoint(
  env: Readonly<Record<string, string | undefined>>,
  folder: string = serviceAccount,
): KubeEndpoint {
  const [host, port] = [env["KUBERNETES_SERVICE_HOST"], env["KUBERNETES_SERVICE_PORT"]];
  if (!host || !port) {
    throw new Error("not in a cluster: KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT must be defined");
  }
  const endpoint: KubeEndpoint = {
    server: new URL(`https://${host.includes(":") ? `[${host}]` : host}:${port}`),
    serverName: undefined,
    ca: { file: `${folder}/ca.crt` },
    skipVerify: false,
    clientCertificate: undefined,
    clientKey: undefined,
    token: { file: `${folder}/token` },
  };
  assertReadable(endpoint.ca);
  assertReadable(endpoint.token);
  return endpoint;
}
