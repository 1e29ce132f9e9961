/**
 * The keys of a control plane: its authority, the front proxy's, and what both issue.
 *
 * Two authorities, as Kubernetes asks: whoever holds a certificate of the front proxy's may say who
 * a request is from, so a client's certificate must never be taken for one.
 */
import { generateKeyPairSync } from "node:crypto";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import {
  createAuthority,
  type Issued,
  issueClientCertificate,
  issueServerCertificate,
  writePrivate,
} from "../../../gateway/certificates/certificates.ts";

/** A certificate's two files. */
export interface Pair {
  readonly cert: string;
  readonly key: string;
}

/** Paths of PEM files. */
export interface Pki {
  /** Who issued the serving and the client certificates. */
  readonly ca: string;
  readonly server: Pair;
  /** `system:masters`. */
  readonly admin: Pair;
  readonly controllerManager: Pair;
  /** What kube-apiserver shows to the servers behind it, and who issued that. */
  readonly frontProxyCa: string;
  readonly frontProxy: Pair;
  readonly serviceAccounts: { readonly publicKey: string; readonly key: string };
}

/** The name that the front proxy's certificate bears; servers behind may ask for it. */
export const frontProxyName = "front-proxy-client";

/** Makes all of it in a folder, anew. */
export async function createPki(folder: string): Promise<Pki> {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const authority = await createAuthority("kubernetes-ca");
  const frontProxyAuthority = await createAuthority("front-proxy-ca");
  const client = (name: string, groups: readonly string[]) => issueClientCertificate(authority, { name, groups });
  const server = await issueServerCertificate(authority, {
    names: ["localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc"],
    // The first of the services' addresses is kube-apiserver's own.
    ips: ["127.0.0.1", "10.0.0.1"],
  });
  const frontProxy = await issueClientCertificate(frontProxyAuthority, { name: frontProxyName, groups: [] });
  return {
    ca: write(folder, "ca", authority).cert,
    server: write(folder, "server", server),
    admin: write(folder, "admin", await client("kubernetes-admin", ["system:masters"])),
    controllerManager: write(folder, "controller-manager", await client("system:kube-controller-manager", [])),
    frontProxyCa: write(folder, "front-proxy-ca", frontProxyAuthority).cert,
    frontProxy: write(folder, "front-proxy", frontProxy),
    serviceAccounts: writeServiceAccountKeys(folder),
  };
}

function write(folder: string, name: string, issued: Issued): Pair {
  const pair = { cert: join(folder, `${name}.crt`), key: join(folder, `${name}.key`) };
  writeFileSync(pair.cert, issued.cert);
  writePrivate(pair.key, issued.key);
  return pair;
}

/** Tokens of service accounts are signed by RSA wherever Kubernetes runs. */
function writeServiceAccountKeys(folder: string): Pki["serviceAccounts"] {
  const keys = generateKeyPairSync("rsa", {
    modulusLength: 2048,
    publicKeyEncoding: { type: "spki", format: "pem" },
    privateKeyEncoding: { type: "pkcs8", format: "pem" },
  });
  const files = { publicKey: join(folder, "sa.pub"), key: join(folder, "sa.key") };
  writeFileSync(files.publicKey, keys.publicKey);
  writePrivate(files.key, keys.privateKey);
  return files;
}
