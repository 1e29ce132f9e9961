import assert from "node:assert/strict";
import { createPublicKey, X509Certificate } from "node:crypto";
import { appendFileSync, mkdirSync, readFileSync, renameSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { createServingFolder, issueServing } from "../../test/support/certificates.ts";
import { createCertificateSource } from "./certificate-source.ts";
import { bare, start, textAnswer } from "./listen.testing.ts";

const reloaded = "serving certificate reloaded";
const refused = "the changed serving certificate can't be used; the last good one stays";

test("createListener() serves the certificate of a swapped ..data link to new connections", async (t) => {
  const { folder, authority } = await createServingFolder(t);
  // As the kubelet mounts a Secret: tls.crt -> ..data/tls.crt, ..data -> a folder a version.
  const publish = async (version: string) => {
    const pair = await issueServing(authority);
    mkdirSync(join(folder, version));
    writeFileSync(join(folder, version, "tls.crt"), pair.cert);
    writeFileSync(join(folder, version, "tls.key"), pair.key);
    symlinkSync(version, join(folder, "..next"));
    renameSync(join(folder, "..next"), join(folder, "..data"));
    return new X509Certificate(pair.cert).fingerprint256;
  };
  const first = await publish("v1");
  for (const name of ["tls.crt", "tls.key"]) symlinkSync(`..data/${name}`, join(folder, `link-${name}`));
  const started = await start(t, () => textAnswer(""), {
    certFile: join(folder, "link-tls.crt"),
    keyFile: join(folder, "link-tls.key"),
    clientCas: () => authority.cert,
  });
  const served = async () => {
    const socket = await bare(started, { ca: authority.cert });
    const { fingerprint256 } = socket.getPeerCertificate();
    socket.destroy();
    return fingerprint256;
  };
  assert.equal(await served(), first);
  const told = started.told(reloaded);
  const second = await publish("v2");
  await told;
  assert.equal(await served(), second);
});

test("createListener() goes on with the last good pair and says once why", async (t) => {
  const started = await start(t, () => textAnswer(""));
  const { certFile, keyFile, authority } = started.files;
  const first = new X509Certificate(readFileSync(certFile)).fingerprint256;
  const told = started.told(refused);
  const other = await issueServing(authority);
  writeFileSync(keyFile, other.key);
  await told;
  started.listener.reload();
  assert.deepEqual(
    started.logged.map(({ level, fields }) => [level, (fields["err"] as Error).message]),
    [["warn", `the key in ${keyFile} is not that of the certificate in ${certFile}`]],
  );
  const socket = await bare(started);
  assert.equal(socket.getPeerCertificate().fingerprint256, first);
  socket.destroy();
  writeFileSync(certFile, other.cert);
  started.listener.reload();
  assert.equal(started.logged.at(-1)?.message, reloaded);
});

test("createCertificateSource() refuses a chain that TLS would refuse", async (t) => {
  const { certFile, keyFile, authority } = await createServingFolder(t);
  const log = { warn: () => assert.fail("nothing is reloaded") };
  const options = { certFile, keyFile, clientCas: () => authority.cert, log };
  assert.throws(() => createCertificateSource({ ...options, keyFile: certFile }));
  const source = createCertificateSource(options);
  assert.ok(new X509Certificate(source.current().cert).verify(createPublicKey(authority.cert)));
  source.close();
  appendFileSync(certFile, "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
  assert.throws(() => createCertificateSource(options));
});
