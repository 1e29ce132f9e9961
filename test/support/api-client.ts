/** A plain HTTPS client of a server that a kubeconfig names, with the client certificate that it holds. */
import { readFileSync } from "node:fs";
import { Agent, request } from "node:https";
import { parseYaml } from "../../gateway/apimachinery/yaml.ts";

/** One request. */
export interface ApiRequest {
  readonly method: string;
  /** With its query. */
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

/** Its answer. */
export interface ApiAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly text: string;
}

/** A connection that is kept. */
export interface ApiClient {
  ask(asked: ApiRequest): Promise<ApiAnswer>;
  close(): void;
}

interface KubeConfig {
  readonly clusters: readonly { cluster: Record<string, string> }[];
  readonly users: readonly { user: Record<string, string> }[];
}

/** Opens a client. */
export function createApiClient(kubeconfig: string): ApiClient {
  const { clusters, users } = parseYaml(readFileSync(kubeconfig, "utf8")).value as unknown as KubeConfig;
  const [cluster, user] = [clusters[0]?.cluster ?? {}, users[0]?.user ?? {}];
  const pem = (from: Record<string, string>, key: string) => {
    const data = from[`${key}-data`];
    return data === undefined ? readFileSync(from[key] ?? "", "utf8") : Buffer.from(data, "base64").toString();
  };
  const agent = new Agent({
    keepAlive: true,
    maxSockets: 1,
    ca: pem(cluster, "certificate-authority"),
    cert: pem(user, "client-certificate"),
    key: pem(user, "client-key"),
  });
  return {
    ask: ({ method, path, headers = {}, body }) =>
      new Promise((resolve, reject) => {
        const asked = request(new URL(path, cluster["server"]), { method, agent, headers }, async (reply) => {
          let text = "";
          for await (const chunk of reply.setEncoding("utf8")) text += chunk;
          resolve({ status: reply.statusCode ?? 0, headers: reply.headers, text });
        });
        asked.once("error", reject);
        asked.end(body);
      }),
    close: () => agent.destroy(),
  };
}
