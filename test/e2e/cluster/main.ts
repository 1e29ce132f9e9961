/**
 * `npm run cluster`: a control plane until a signal comes.
 *
 * Flags: `--data DIR` keeps it; `--crds PATH` (repeatable) applies definitions. The last line of
 * stdout begins `ready`.
 */

import { resolve } from "node:path";
import { parseArgs } from "node:util";
import { runKubectl } from "../../support/kubectl.ts";
import { buildBinaries, missingGo } from "./binaries.ts";
import { startCluster } from "./cluster.ts";

const { values } = parseArgs({
  options: { data: { type: "string" }, crds: { type: "string", multiple: true, default: [] } },
});
process.exitCode = await main();

async function main(): Promise<number> {
  const missing = await missingGo();
  if (missing !== undefined) {
    console.log(`no control plane here: ${missing}`);
    return 1;
  }
  const binaries = await buildBinaries(undefined, console.log);
  const since = performance.now();
  const cluster = await startCluster({
    binaries,
    ...(values.data === undefined ? {} : { dataDir: resolve(values.data) }),
  });
  const signal = new Promise<void>((resolve) => {
    for (const name of ["SIGINT", "SIGTERM"] as const) process.once(name, () => resolve());
  });
  // A pending promise alone doesn't keep a process.
  const life = setInterval(() => {}, 2 ** 30);
  try {
    for (const path of values.crds) {
      const args = ["apply", "--server-side", "-f", path];
      const { code, stderr } = await runKubectl(args, cluster);
      if (code !== 0) throw new Error(`${path} can't be applied:\n${stderr}`);
    }
    if (values.crds.length > 0) {
      // Served only then; a client that comes earlier gets a 404.
      const args = ["wait", "--for=condition=Established", "crd", "--all", "--timeout=60s"];
      const { code, stderr } = await runKubectl(args, cluster);
      if (code !== 0) throw new Error(`the definitions are not served:\n${stderr}`);
    }
    console.log(`etcd at ${cluster.etcdUrl}, data in ${cluster.dataDir}`);
    console.log(`try: kubectl --kubeconfig ${cluster.kubeconfig} get --raw /version`);
    const seconds = ((performance.now() - since) / 1000).toFixed(1);
    console.log(`ready ${cluster.url} with Kubernetes ${cluster.version} after ${seconds} s`);
    await signal;
  } finally {
    clearInterval(life);
    await cluster.stop();
  }
  return 0;
}
