/**
 * Which certificate a client gets: by the name that it asks for (SNI), or the default one.
 *
 * An exact name goes before a wildcard's, which stands for one label; names that are given go before
 * those that a certificate bears; of equals the first listed. Each pair is read again when its files
 * change. Absent on purpose: choosing by the local address for a client that names nobody, of whom
 * Node tells nothing before it has chosen.
 * Source: apiserver pkg/server/dynamiccertificates (getNamedCertificateMap); crypto/tls
 * Config.getCertificate.
 */
import { X509Certificate } from "node:crypto";
import { createSecureContext, type SecureContext } from "node:tls";
import {
  type CertificateFiles,
  type CertificateSource,
  createCertificateSource,
  type ServingPair,
} from "./certificate-source.ts";
import { tlsSettings } from "./tls-server.ts";

/** A certificate for certain names. */
export interface NamedCertificate {
  readonly certFile: string;
  readonly keyFile: string;
  /** `api.example.com`, `*.example.com`. Default: those that the certificate bears. */
  readonly names?: readonly string[];
}

/** The default certificate and the named ones. */
export interface NamedCertificates extends CertificateSource {
  /** Undefined: the default one. */
  contextFor(name: string): SecureContext | undefined;
}

/** What they are read from, and where changes are told. */
export interface NamedCertificateFiles extends CertificateFiles {
  readonly sni?: readonly NamedCertificate[];
  readonly log: CertificateFiles["log"] & { info(fields: object, message: string): void };
}

interface Named {
  readonly given: readonly string[] | undefined;
  readonly source: CertificateSource;
  context: SecureContext;
}

/**
 * Reads all pairs and watches them.
 * @throws Error naming the file if one can't be read or a key doesn't fit.
 */
export function createNamedCertificates(files: NamedCertificateFiles): NamedCertificates {
  const { clientCas, log, sni = [] } = files;
  const sources: CertificateSource[] = [];
  const open = (certFile: string, keyFile: string) => {
    const source = createCertificateSource({ certFile, keyFile, clientCas, log });
    sources.push(source);
    source.onChange(() => log.info({ certFile }, "serving certificate reloaded"));
    return source;
  };
  const closeAll = () => {
    for (const source of sources) source.close();
  };
  try {
    const main = open(files.certFile, files.keyFile);
    const all = sni.map(({ certFile, keyFile, names }): Named => {
      const source = open(certFile, keyFile);
      return { given: names, source, context: createSecureContext(tlsSettings(source.current())) };
    });
    let byName = namesOf(all);
    for (const named of all) {
      named.source.onChange((pair) => {
        named.context = createSecureContext(tlsSettings(pair));
        byName = namesOf(all);
      });
    }
    return {
      current: () => main.current(),
      onChange: (listener) => main.onChange(listener),
      check() {
        for (const source of sources) source.check();
      },
      close: closeAll,
      contextFor: (asked) => found(byName, asked)?.context,
    };
  } catch (error) {
    closeAll();
    throw error;
  }
}

function found(byName: ReadonlyMap<string, Named>, asked: string): Named | undefined {
  const name = asked.toLowerCase().replace(/\.$/, "");
  return byName.get(name) ?? byName.get(name.replace(/^[^.]*/, "*"));
}

function namesOf(all: readonly Named[]): ReadonlyMap<string, Named> {
  const byName = new Map<string, Named>();
  const add = (named: Named, names: readonly string[]) => {
    for (const name of names) if (!byName.has(name)) byName.set(name.toLowerCase(), named);
  };
  for (const named of all) if (named.given !== undefined) add(named, named.given);
  for (const named of all) if (named.given === undefined) add(named, bornNames(named.source.current()));
  return byName;
}

/** The names that a certificate bears; its common name where it bears no others. */
function bornNames({ cert }: ServingPair): string[] {
  const { subjectAltName, subject } = new X509Certificate(cert);
  const names = [...(subjectAltName ?? "").matchAll(/(?:^|, )DNS:([^,]+)/g)].map(([, name]) => name ?? "");
  if (subjectAltName !== undefined) return names;
  return /^CN=([-a-z0-9.]+)$/im.exec(subject ?? "")?.slice(1) ?? [];
}
