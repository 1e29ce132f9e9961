/**
 * What a validation has found so far: faults, and how many checks were passed.
 *
 * The count is Kubernetes' own: of several alternatives that all fail, the faults of the one with
 * the most passed checks are shown. A name is a place as messages give it, from the value that the
 * schema describes; a fault's field is that name below the value's own place.
 * Source: kube-openapi pkg/validation/validate/result.go; apiextensions-apiserver
 * pkg/apiserver/validation/validation.go (kubeOpenAPIResultToFieldErrors).
 */
import {
  type FieldError,
  fieldInvalid,
  fieldNotSupported,
  fieldRequired,
  fieldTooLong,
  fieldTooMany,
  fieldTypeInvalid,
} from "../apimachinery/field-error.ts";
import { formatGoFloat, goQuote } from "../apimachinery/go-text.ts";
import type { JsonValue } from "../apimachinery/json.ts";

/** Faults and passed checks of one validation. */
export class Outcome {
  readonly faults: FieldError[] = [];
  matches = 0;
  readonly #place: string;

  /** @param place where the described value stands in the object; `""` if it is the object. */
  constructor(place: string) {
    this.#place = place;
  }

  /** Gives an empty outcome about the same value. */
  fork(): Outcome {
    return new Outcome(this.#place);
  }

  merge(other: Outcome): void {
    for (const fault of other.faults) this.faults.push(fault);
    this.matches += other.matches;
  }

  wrongType(name: string, wanted: string, found: string): void {
    this.faults.push(
      fieldTypeInvalid(this.#field(name), found, `${name} in body must be of type ${wanted}: ${goQuote(found)}`),
    );
  }

  /** `text` follows the name and ` in body `. */
  invalid(name: string, value: JsonValue, text: string): void {
    this.invalidText(name, value, `${name} in body ${text}`);
  }

  /** As invalid, for a number that Go holds as a float. */
  invalidFloat(name: string, value: number, text: string): void {
    const message = `Invalid value: ${formatGoFloat(value)}: ${name} in body ${text}`;
    this.faults.push({ reason: "FieldValueInvalid", field: this.#field(name), message });
  }

  /** `text` is the whole text. */
  invalidText(name: string, value: JsonValue, text: string): void {
    this.faults.push(fieldInvalid(this.#field(name), value, text));
  }

  required(name: string): void {
    this.faults.push(fieldRequired(this.#field(name)));
  }

  notSupported(name: string, value: JsonValue, supported: readonly string[]): void {
    this.faults.push(fieldNotSupported(this.#field(name), value, supported));
  }

  tooLong(name: string, max: number): void {
    this.faults.push(fieldTooLong(this.#field(name), max));
  }

  tooMany(name: string, count: number, max: number): void {
    this.faults.push(fieldTooMany(this.#field(name), count, max));
  }

  /** A fault that names its place in its own text. */
  general(text: string): void {
    this.faults.push(fieldInvalid(this.#field(""), "", text));
  }

  #field(name: string): string {
    const below = name.startsWith(".") ? name.slice(1) : name;
    if (below === "") return this.#place === "" ? "<nil>" : this.#place;
    return this.#place === "" ? below : `${this.#place}.${below}`;
  }
}

/** Gives the faults without those that say the same again. */
export function distinctFaults(faults: readonly FieldError[]): readonly FieldError[] {
  if (faults.length < 2) return faults;
  const seen = new Set<string>();
  return faults.filter(({ field, message }) => {
    const key = `${field}\n${message}`;
    if (seen.has(key)) return false;
    seen.add(key);
    return true;
  });
}
