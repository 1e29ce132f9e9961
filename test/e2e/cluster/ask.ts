/** One GET as the cluster's admin, of kube-apiserver or of a server behind it. */
import { readFileSync } from "node:fs";
import { request } from "node:https";
import type { Cluster } from "./cluster.ts";

/** What is asked. */
export interface AskOptions {
  readonly url: string;
  /** PEM. Default: the cluster's own authority. */
  readonly ca?: string;
  readonly accept?: string;
}

/** Gives the answer's text. @throws Error if it is not 200. */
export async function askAsAdmin(cluster: Cluster, { url, ca, accept = "*/*" }: AskOptions): Promise<string> {
  const options = {
    ca: ca ?? readFileSync(cluster.pki.ca),
    cert: readFileSync(cluster.pki.admin.cert),
    key: readFileSync(cluster.pki.admin.key),
    headers: { Accept: accept },
  };
  return await new Promise((resolve, reject) => {
    const asked = request(url, options, async (reply) => {
      let text = "";
      for await (const chunk of reply.setEncoding("utf8")) text += chunk;
      if (reply.statusCode === 200) resolve(text);
      else reject(new Error(`GET ${url}: ${reply.statusCode} ${text}`));
    });
    asked.once("error", reject);
    asked.end();
  });
}
