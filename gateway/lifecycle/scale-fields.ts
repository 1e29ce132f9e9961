/**
 * The fields that the scale subresource reads, checked on every write of their object.
 *
 * Source: apiextensions-apiserver pkg/registry/customresource/validator.go (ValidateScaleSpec,
 * ValidateScaleStatus); apimachinery pkg/apis/meta/v1/unstructured/helpers.go.
 */
import { type FieldError, fieldInvalid } from "../apimachinery/field-error.ts";
import { goTypeOf, goValueText } from "../apimachinery/go-type.ts";
import { isJsonObject, type JsonValue } from "../apimachinery/json.ts";
import type { KubeObject } from "../apimachinery/object.ts";
import type { WriteScope } from "./write-scope.ts";

const maxInt32 = 2147483647;

/** Checks replicas and selector; on a write of status, only status replicas and selector. */
export function validateScale(object: KubeObject, scope: WriteScope): FieldError[] {
  const paths = scope.resource.version.scale;
  if (paths === undefined) return [];
  return [
    ...(scope.subresource === "status" ? [] : validateReplicas(object, paths.specReplicasPath)),
    ...validateReplicas(object, paths.statusReplicasPath),
    ...(paths.labelSelectorPath === "" ? [] : validateSelector(object, paths.labelSelectorPath)),
  ];
}

function validateReplicas(object: KubeObject, path: string): FieldError[] {
  const { value, error } = valueAt(object, path);
  if (error !== undefined) return [fieldInvalid(path, 0, error)];
  if (value === undefined) return [];
  if (typeof value !== "bigint" && (typeof value !== "number" || !Number.isInteger(value))) {
    return [fieldInvalid(path, 0, wrongType(path, value, "int64"))];
  }
  if (value < 0) return [fieldInvalid(path, value, "should be a non-negative integer")];
  return value > maxInt32 ? [fieldInvalid(path, value, `should be less than or equal to ${maxInt32}`)] : [];
}

function validateSelector(object: KubeObject, path: string): FieldError[] {
  const { value, error } = valueAt(object, path);
  if (error !== undefined) return [fieldInvalid(path, "", error)];
  if (value === undefined || typeof value === "string") return [];
  return [fieldInvalid(path, "", wrongType(path, value, "string"))];
}

/** Gives what stands at a path; undefined where the path ends early, an error where a scalar is in the way. */
function valueAt(object: KubeObject, path: string): { value: JsonValue | undefined; error?: string } {
  const parts = path.replace(/^\./, "").split(".");
  let at: JsonValue | undefined = object;
  for (const [index, part] of parts.entries()) {
    if (at === undefined || at === null) return { value: undefined };
    if (!isJsonObject(at)) {
      const upTo = `.${parts.slice(0, index + 1).join(".")}`;
      return { value: undefined, error: wrongType(upTo, at, "map[string]interface{}") };
    }
    at = at[part];
  }
  return { value: at };
}

function wrongType(path: string, value: JsonValue, wanted: string): string {
  return `.${path.replace(/^\./, "")} accessor error: ${goValueText(value)} is of the type ${goTypeOf(value)}, expected ${wanted}`;
}
