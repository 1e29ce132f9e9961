/** Parses one YAML text in a thread of its own and sends its JSON back. */
import { parentPort, workerData } from "node:worker_threads";
import { encodeJsonBytes } from "../apimachinery/json.ts";
import { parseYaml, YamlSyntaxError } from "../apimachinery/yaml.ts";
import type { YamlWorkerAnswer } from "./body.ts";

function answer(): YamlWorkerAnswer {
  try {
    const parsed = parseYaml(workerData as string);
    return { json: encodeJsonBytes(parsed.value), duplicates: parsed.duplicates };
  } catch (error) {
    if (error instanceof YamlSyntaxError) return { syntaxError: error.message };
    throw error;
  }
}

parentPort?.postMessage(answer());
