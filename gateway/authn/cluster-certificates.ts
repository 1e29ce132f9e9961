/**
 * Whom the host cluster trusts: the authorities and header names that kube-apiserver publishes.
 *
 * They stand in the ConfigMap `kube-system/extension-apiserver-authentication` and are followed as it
 * changes; once a minute it is read anew whatever the watch told. What isn't there, or is empty, means
 * that nobody is believed. Text that makes no sense is logged, and what was last good stays in force.
 * Source: apiserver pkg/server/options/authentication_dynamic_request_header.go,
 * pkg/server/dynamiccertificates/configmap_cafile_content.go.
 */
import type { KubeClient, KubeObject } from "../kubeclient/kubeclient.ts";
import { createInformer } from "../kubeclient/kubeclient.ts";
import { assertApart, parseAuthorities } from "./authority-file.ts";
import type { Certificate } from "./certificate.ts";
import { type FrontProxyRules, lowerCased } from "./request-header.ts";
import type { Log } from "./watched-file.ts";

/** What the ConfigMap says now. Followed until `close`. */
export interface ClusterCertificates {
  /** Whom to believe about who asks; undefined: nobody. */
  frontProxy(): FrontProxyRules | undefined;
  /** The authorities of client certificates; none: nobody is known by one. */
  clients(): readonly Certificate[];
  /** Both kinds of authority as text, for TLS to name them. */
  pem(): string;
  onChange(listener: () => void): void;
  /** Resolves once it is known what the ConfigMap says, or that there is none. */
  synced(): Promise<void>;
  close(): void;
}

/** How it is followed. */
export interface ClusterCertificatesOptions {
  readonly client: Pick<KubeClient, "request" | "lines">;
  readonly random: () => number;
  readonly log: Log;
}

const namespace = "kube-system";
const name = "extension-apiserver-authentication";
/** As often as Kubernetes' own servers look again. */
const relistMs = 60_000;

/** One authority's part, as text and as what it means. */
interface Part<T> {
  readonly text: string;
  readonly value: T;
}

/** Begins to follow. Until `synced` nobody is believed. */
export function followClusterCertificates({ client, random, log }: ClusterCertificatesOptions): ClusterCertificates {
  const listeners: (() => void)[] = [];
  let clients: Part<readonly Certificate[]> = { text: "", value: [] };
  let frontProxy: Part<FrontProxyRules | undefined> = { text: "", value: undefined };

  function take(configMap: KubeObject | undefined): void {
    if (configMap === undefined)
      log.warn({ namespace, name }, "the host cluster doesn't say whom it trusts: nobody is");
    const data = dataOf(configMap);
    const before = pem();
    clients = part(clients, data["client-ca-file"] ?? "", "client-ca-file", () =>
      authoritiesOf(data["client-ca-file"] ?? "", "client-ca-file"),
    );
    frontProxy = part(frontProxy, JSON.stringify(frontProxyKeys.map((key) => data[key] ?? "")), frontProxyKeys[0], () =>
      rulesOf(data, clients.value),
    );
    if (pem() === before) return;
    for (const listener of listeners) listener();
  }

  function part<T>(before: Part<T>, text: string, key: string, read: () => T): Part<T> {
    if (text === before.text) return before;
    try {
      const value = read();
      log.info({ namespace, name, key }, "the host cluster says anew whom it trusts");
      return { text, value };
    } catch (error) {
      log.error({ namespace, name, error: (error as Error).message }, "could not take what the host cluster says");
      return before;
    }
  }

  function pem(): string {
    const roots = [...(frontProxy.value?.roots ?? []), ...clients.value];
    return roots.map(pemOf).join("");
  }

  const informer = createInformer({
    client,
    path: `/api/v1/namespaces/${namespace}/configmaps`,
    fieldSelector: `metadata.name=${name}`,
    relistMs,
    random,
    log,
    onChange: () => take(informer.objects.get(`${namespace}/${name}`)),
  });
  return {
    frontProxy: () => frontProxy.value,
    clients: () => clients.value,
    pem,
    onChange: (listener) => void listeners.push(listener),
    synced: () => informer.synced(),
    close: () => informer.close(),
  };
}

const frontProxyKeys = [
  "requestheader-client-ca-file",
  "requestheader-allowed-names",
  "requestheader-username-headers",
  "requestheader-uid-headers",
  "requestheader-group-headers",
  "requestheader-extra-headers-prefix",
] as const;

function dataOf(configMap: KubeObject | undefined): Readonly<Record<string, string>> {
  const data = configMap?.["data"];
  if (typeof data !== "object" || data === null) return {};
  return Object.fromEntries(Object.entries(data).filter(([, value]) => typeof value === "string"));
}

function authoritiesOf(pem: string, key: string): readonly Certificate[] {
  return pem.trim() === "" ? [] : parseAuthorities(pem, key);
}

/** @throws Error naming the key that makes no sense. */
function rulesOf(data: Readonly<Record<string, string>>, clients: readonly Certificate[]): FrontProxyRules | undefined {
  const [caKey, namesKey, usernameKey, uidKey, groupKey, extraKey] = frontProxyKeys;
  const roots = authoritiesOf(data[caKey] ?? "", caKey);
  if (roots.length === 0) return undefined;
  const rules = lowerCased({
    roots,
    allowedNames: stringsOf(data, namesKey),
    usernameHeaders: stringsOf(data, usernameKey),
    uidHeaders: stringsOf(data, uidKey),
    groupHeaders: stringsOf(data, groupKey),
    extraHeaderPrefixes: stringsOf(data, extraKey),
  });
  if (rules.allowedNames.length === 0) assertApart(roots, clients);
  return rules;
}

/** A key that is missing names nothing. */
function stringsOf(data: Readonly<Record<string, string>>, key: string): readonly string[] {
  const text = data[key] ?? "";
  if (text === "") return [];
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new Error(`${key}: ${(error as Error).message}`, { cause: error });
  }
  // An empty text as a header's prefix would be every header.
  if (!Array.isArray(value) || !value.every((one) => typeof one === "string" && one !== "")) {
    throw new Error(`${key}: must be a JSON array of strings that are not empty`);
  }
  return value;
}

function pemOf({ raw }: Certificate): string {
  const lines = raw.toString("base64").match(/.{1,64}/g) ?? [];
  return `-----BEGIN CERTIFICATE-----\n${lines.join("\n")}\n-----END CERTIFICATE-----\n`;
}
