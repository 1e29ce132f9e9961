/**
 * Faults of YAML texts.
 *
 * Source: go.yaml.in/yaml/v2; sigs.k8s.io/yaml.
 */

/** Text that can't be turned into a JSON value. The message is Go's. */
export class YamlSyntaxError extends Error {
  override readonly name = "YamlSyntaxError";
}

/** Gives the error for text that is no YAML; `problem` follows `yaml: `, its line included. */
export function yamlFault(problem: string): YamlSyntaxError {
  return new YamlSyntaxError(`yaml: ${problem}`);
}
