/**
 * Many of @kubernetes/client-node's informers on one resource, told as those of informers/main.go are.
 *
 * Its informer goes on by itself where it was when a watch ends, and lists again after a 410. After any other
 * failure it stops and says "error"; who uses it starts it again, and it goes on where it was. JavaScript, so
 * that it is checked against the package where that is installed, and nowhere else.
 */
import { createInterface } from "node:readline";
import { parseArgs } from "node:util";
import { CustomObjectsApi, KubeConfig, makeInformer } from "@kubernetes/client-node";

const text = { type: "string", default: "" };
const { values } = parseArgs({
  options: { kubeconfig: text, group: text, version: text, plural: text, count: text },
});
const { group, version, plural } = values;
/** Users wait a little before they start an informer again, as the package's own example does. */
const againMs = 500;

/** @param {object} line */
const say = (line) => process.stdout.write(`${JSON.stringify(line)}\n`);

const kubeconfig = new KubeConfig();
kubeconfig.loadFromFile(values.kubeconfig);
const api = kubeconfig.makeApiClient(CustomObjectsApi);
const informers = new Map();
for (let at = 0; at < Number(values.count); at++) {
  const client = `node-${at}`;
  let isSynced = false;
  const list = async () => {
    say({ client, event: "listed", how: "list" });
    const found = await api.listClusterCustomObject({ group, version, plural });
    if (!isSynced) say({ client, event: "synced" });
    isSynced = true;
    return found;
  };
  const informer = makeInformer(kubeconfig, `/apis/${group}/${version}/${plural}`, list);
  informer.on("error", (error) => {
    say({ client, event: "error", error: String(error) });
    setTimeout(() => void informer.start(), againMs);
  });
  informers.set(client, informer);
  void informer.start();
}
for await (const _ of createInterface({ input: process.stdin })) {
  for (const [client, informer] of informers) {
    const entries = informer
      .list()
      .map(({ metadata }) => [`${metadata.namespace}/${metadata.name}`, metadata.resourceVersion]);
    say({ client, event: "state", objects: Object.fromEntries(entries) });
  }
}
process.exit(0);
