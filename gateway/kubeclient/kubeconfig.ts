/**
 * Reads a kubeconfig: the current context's cluster and user.
 *
 * What would make us run a program, go through a proxy or act as somebody else is refused by name
 * instead of ignored. Unknown fields are skipped, as client-go does.
 * Source: client-go tools/clientcmd/api/v1.
 */
import { readFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { parse } from "yaml";
import { z } from "zod";
import { assertReadable } from "./connection.ts";
import type { KubeEndpoint, Source } from "./endpoint.ts";

/** A kubeconfig that can't be used; the message names file and field. */
export class KubeconfigError extends Error {
  override readonly name = "KubeconfigError";
}

const text = z.string().default("");
const cluster = z.looseObject({
  server: text,
  "tls-server-name": text,
  "insecure-skip-tls-verify": z.boolean().default(false),
  "certificate-authority": text,
  "certificate-authority-data": text,
});
const user = z.looseObject({
  "client-certificate": text,
  "client-certificate-data": text,
  "client-key": text,
  "client-key-data": text,
  token: text,
  tokenFile: text,
});
const context = z.looseObject({ cluster: text, user: text });
const document = z.looseObject({
  clusters: z.array(z.looseObject({ name: z.string(), cluster })).default([]),
  users: z.array(z.looseObject({ name: z.string(), user: user.nullable() })).default([]),
  contexts: z.array(z.looseObject({ name: z.string(), context })).default([]),
  "current-context": text,
});

const refusedOfCluster = ["proxy-url"];
const refusedOfUser = ["exec", "auth-provider", "username", "password", "as", "as-uid", "as-groups", "as-user-extra"];

/** Reads a file. Relative paths in it start at its folder. @throws KubeconfigError. */
export function loadKubeconfig(path: string): KubeEndpoint {
  const fail = (why: string, cause?: unknown): never => {
    throw new KubeconfigError(`${path}: ${why}`, cause === undefined ? undefined : { cause });
  };
  const parsed = document.safeParse(readYaml(path, fail));
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    return fail(`${issue?.path.join(".")}: ${issue?.message}`);
  }
  const config = parsed.data;
  const named = <T extends { readonly name: string }>(list: readonly T[], kind: string, name: string): T =>
    list.find((one) => one.name === name) ?? fail(`there is no ${kind} "${name}"`);
  if (config["current-context"] === "") return fail("current-context: must be given");
  const { context } = named(config.contexts, "context", config["current-context"]);
  const { cluster } = named(config.clusters, "cluster", context.cluster);
  const found = context.user === "" ? undefined : named(config.users, "user", context.user).user;
  const user = found ?? ({} as Partial<NonNullable<typeof found>>);
  for (const [value, fields] of [
    [cluster, refusedOfCluster],
    [user, refusedOfUser],
  ] as const) {
    const refused = fields.find((field) => value[field] !== undefined && value[field] !== "");
    if (refused !== undefined) return fail(`${refused}: is not supported; use a client certificate or a token`);
  }
  const sources: Sources = { folder: dirname(resolve(path)), fail };
  const endpoint: KubeEndpoint = {
    server: serverUrl(cluster.server, fail),
    serverName: cluster["tls-server-name"] || undefined,
    ca: sourceOf("certificate-authority", cluster, sources),
    skipVerify: cluster["insecure-skip-tls-verify"],
    clientCertificate: sourceOf("client-certificate", user, sources),
    clientKey: sourceOf("client-key", user, sources),
    // A file's token wins: it is renewed.
    token: user.tokenFile ? { file: resolve(sources.folder, user.tokenFile) } : textSource(user.token),
  };
  if ((endpoint.clientCertificate === undefined) !== (endpoint.clientKey === undefined)) {
    return fail("client-certificate and client-key must be given together");
  }
  for (const source of [endpoint.ca, endpoint.clientCertificate, endpoint.clientKey, endpoint.token]) {
    try {
      assertReadable(source);
    } catch (error) {
      return fail((error as Error).message, error);
    }
  }
  return endpoint;
}

interface Sources {
  readonly folder: string;
  readonly fail: (why: string) => never;
}

function readYaml(path: string, fail: (why: string, cause: unknown) => never): unknown {
  try {
    return parse(readFileSync(path, "utf8"));
  } catch (error) {
    return fail(`can't be read: ${(error as Error).message}`, error);
  }
}

/** A token must not travel in the clear. */
function serverUrl(server: string, fail: (why: string) => never): URL {
  const url = URL.parse(server) ?? fail(`server: "${server}" is no URL`);
  return url.protocol === "https:" ? url : fail(`server: "${server}" must begin with https://`);
}

/** `NAME-data` (base64) wins over the file `NAME`. */
function sourceOf(
  name: string,
  fields: Readonly<Record<string, unknown>>,
  { folder, fail }: Sources,
): Source | undefined {
  const [file, data] = [fields[name], fields[`${name}-data`]] as (string | undefined)[];
  if (data) {
    const text = Buffer.from(data, "base64").toString();
    return text.includes("-----BEGIN ") ? { text } : fail(`${name}-data: is no base64 of a PEM block`);
  }
  return file ? { file: resolve(folder, file) } : undefined;
}

function textSource(text: string | undefined): Source | undefined {
  return text ? { text } : undefined;
}
