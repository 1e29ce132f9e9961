/** Serves the sample on `--listen`, over mutual TLS with `--tls-ca`, `--tls-cert` and `--tls-key`. */
import { parseArgs } from "node:util";
import { createHost, listenFlags, listenOptions, logLine, runStore } from "../../sdk/sdk.ts";
import { createSampleStore } from "./store.ts";

const options = listenOptions(parseArgs({ options: listenFlags }).values);
// Without a certificate the gateway can't be asked: then nobody may act for others.
const host = options.tls && createHost(options.tls);
const store = createSampleStore({
  isAllowed: async (call, question) => (await host?.isAllowed(call, question)) === true,
  refreshGroups: async (userID) => logLine({ userID }, "groups are refreshed"),
});
process.exitCode = await runStore(store, { ...options, log: logLine });
host?.close();
