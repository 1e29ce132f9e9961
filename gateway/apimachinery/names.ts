/**
 * Which names Kubernetes takes: each check gives the list of its complaints, empty if there are none.
 *
 * Lengths count bytes of UTF-8, as Go's do. The checks are scans instead of regular expressions, so
 * that a name of megabytes costs no more than its length.
 * Source: apimachinery pkg/util/validation, pkg/api/validate/content, pkg/api/validation/generic.go.
 */

const maxLabelBytes = 63;
const maxSubdomainBytes = 253;

const dns1123Label = "[a-z0-9]([-a-z0-9]*[a-z0-9])?";
const dns1123Subdomain = `${dns1123Label}(\\.${dns1123Label})*`;
const dns1035Label = "[a-z]([-a-z0-9]*[a-z0-9])?";
const labelKeyName = "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]";
const labelKeyRule =
  "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character";

const dns1123LabelText = withPattern(
  "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character",
  dns1123Label,
  ["my-name", "123-abc"],
);
const dns1123SubdomainText = withPattern(
  "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character",
  dns1123Subdomain,
  ["example.com"],
);
const dns1035LabelText = withPattern(
  "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character",
  dns1035Label,
  ["my-name", "abc-123"],
);
const labelKeyText = withPattern(labelKeyRule, labelKeyName, ["MyName", "my.name", "123-abc"]);
const labelValueText = withPattern(
  `a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character`,
  `(${labelKeyName})?`,
  ["MyValue", "my_value", "12345"],
);

/** Checks a label of DNS (RFC 1123), lower case: the rule of namespaces. */
export function dns1123LabelErrors(value: string): string[] {
  const errors = lengthErrors(value, maxLabelBytes, "characters");
  if (isDnsLabel(value, 0, value.length)) return errors;
  // A subdomain that is no label has dots: the length was looked at before.
  errors.push(isSubdomain(value) ? "must not contain dots" : dns1123LabelText);
  return errors;
}

/** Checks a subdomain of DNS (RFC 1123), lower case: the rule of most names. */
export function dns1123SubdomainErrors(value: string): string[] {
  return subdomainErrors(value, "characters");
}

function subdomainErrors(value: string, unit: "bytes" | "characters"): string[] {
  const errors = lengthErrors(value, maxSubdomainBytes, unit);
  if (!isSubdomain(value)) errors.push(dns1123SubdomainText);
  return errors;
}

/** Checks a label of DNS (RFC 1035): as RFC 1123, but beginning with a letter. */
export function dns1035LabelErrors(value: string): string[] {
  const errors = lengthErrors(value, maxLabelBytes, "characters");
  if (!isDnsLabel(value, 0, value.length) || isDigit(value.charCodeAt(0))) errors.push(dns1035LabelText);
  return errors;
}

/** Checks a qualified name, `[prefix/]name`: keys of labels and annotations, finalizers. */
export function qualifiedNameErrors(value: string): string[] {
  const parts = value.split("/", 3);
  const errors: string[] = [];
  if (parts.length > 2) {
    return [
      `a valid label key ${labelKeyText} with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')`,
    ];
  }
  const prefix = parts.length === 2 ? parts[0] : undefined;
  if (prefix === "") errors.push("prefix part must be non-empty");
  else if (prefix !== undefined)
    errors.push(...subdomainErrors(prefix, "bytes").map((error) => `prefix part ${error}`));
  const name = parts[parts.length - 1] ?? "";
  if (name === "") errors.push("name part must be non-empty");
  else errors.push(...lengthErrors(name, maxLabelBytes, "bytes").map((error) => `name part ${error}`));
  if (!isLabelText(name)) errors.push(`name part ${labelKeyText}`);
  return errors;
}

/** Checks the value of a label. */
export function labelValueErrors(value: string): string[] {
  const errors = lengthErrors(value, maxLabelBytes, "bytes");
  if (value !== "" && !isLabelText(value)) errors.push(labelValueText);
  return errors;
}

/** Checks a name that stands as one segment of a path. Neither emptiness nor length is looked at. */
export function pathSegmentErrors(name: string): string[] {
  if (name === "." || name === "..") return [`may not be '${name}'`];
  return pathSegmentPrefixErrors(name);
}

/** Checks the beginning of a name that will stand as one segment of a path. */
export function pathSegmentPrefixErrors(name: string): string[] {
  return ["/", "%"].filter((part) => name.includes(part)).map((part) => `may not contain '${part}'`);
}

/** A rule for names. `prefix`: the text is a generateName, which may end in a dash. */
export type NameRule = (name: string, prefix: boolean) => string[];

/** The rule of custom resources' names: a DNS subdomain. */
export const nameIsDnsSubdomain: NameRule = (name, prefix) =>
  dns1123SubdomainErrors(prefix ? maskTrailingDash(name) : name);

/** The rule of namespaces: a DNS label. */
export const nameIsDnsLabel: NameRule = (name, prefix) => dns1123LabelErrors(prefix ? maskTrailingDash(name) : name);

/** The least that any name must keep to: one segment of a path. */
export const nameIsPathSegment: NameRule = (name, prefix) =>
  prefix ? pathSegmentPrefixErrors(name) : pathSegmentErrors(name);

/** Stands a letter in place of a trailing dash and what is before it, since something will follow the dash. */
function maskTrailingDash(name: string): string {
  return name.length > 1 && name.endsWith("-") ? `${name.slice(0, -2)}a` : name;
}

/** Bytes are counted in both; Kubernetes' older checks say characters. */
function lengthErrors(value: string, maxBytes: number, unit: "bytes" | "characters"): string[] {
  return Buffer.byteLength(value) > maxBytes ? [`must be no more than ${maxBytes} ${unit}`] : [];
}

function isSubdomain(value: string): boolean {
  let start = 0;
  for (let dot = value.indexOf("."); dot >= 0; dot = value.indexOf(".", start)) {
    if (!isDnsLabel(value, start, dot)) return false;
    start = dot + 1;
  }
  return isDnsLabel(value, start, value.length);
}

/** Whether the text from `start` to before `end` is a DNS label of any length. */
function isDnsLabel(value: string, start: number, end: number): boolean {
  if (start >= end || value.charCodeAt(start) === dash || value.charCodeAt(end - 1) === dash) return false;
  for (let index = start; index < end; index++) {
    const code = value.charCodeAt(index);
    if (!isLower(code) && !isDigit(code) && code !== dash) return false;
  }
  return true;
}

/** Whether the text is a name part of a label key: letters and digits at both ends, `-_.` allowed within. */
function isLabelText(value: string): boolean {
  if (value === "" || !isAlphanumeric(value.charCodeAt(0)) || !isAlphanumeric(value.charCodeAt(value.length - 1))) {
    return false;
  }
  for (let index = 1; index < value.length - 1; index++) {
    const code = value.charCodeAt(index);
    if (!isAlphanumeric(code) && code !== dash && code !== dot && code !== underscore) return false;
  }
  return true;
}

const dash = 0x2d;
const dot = 0x2e;
const underscore = 0x5f;
const isDigit = (code: number): boolean => code >= 0x30 && code <= 0x39;
const isLower = (code: number): boolean => code >= 0x61 && code <= 0x7a;
const isUpper = (code: number): boolean => code >= 0x41 && code <= 0x5a;
const isAlphanumeric = (code: number): boolean => isLower(code) || isUpper(code) || isDigit(code);

function withPattern(rule: string, pattern: string, examples: readonly string[]): string {
  const list = examples.map((example) => `'${example}', `).join(" or ");
  return `${rule} (e.g. ${list}regex used for validation is '${pattern}')`;
}
