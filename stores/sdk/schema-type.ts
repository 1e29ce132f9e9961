/**
 * The TypeScript type of what an OpenAPI v3 schema describes, so that a schema is written once.
 *
 * For schemas that are written in TypeScript; the gateway has checked them before a store sees an
 * object. What the type can't say (`anyOf`, int-or-string, preserved fields) is `unknown`.
 */

/** A schema as a literal: any words, of which these give the type. */
export interface Schema {
  readonly type?: string;
  readonly enum?: readonly unknown[];
  readonly nullable?: boolean;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly items?: Schema;
  readonly additionalProperties?: Schema | boolean;
  readonly [word: string]: unknown;
}

/** The value of a schema. A field with a default is there: the gateway has filled it in. */
export type FromSchema<S> = S extends { readonly nullable: true } ? NotNull<S> | null : NotNull<S>;

type NotNull<S> = S extends { readonly enum: readonly (infer Value)[] }
  ? Value
  : S extends { readonly type: "string" }
    ? string
    : S extends { readonly type: "integer" | "number" }
      ? number
      : S extends { readonly type: "boolean" }
        ? boolean
        : S extends { readonly type: "array"; readonly items: infer Item }
          ? readonly FromSchema<Item>[]
          : S extends { readonly properties: infer Fields }
            ? Simplify<Present<S, Fields> & Missing<S, Fields>>
            : S extends { readonly additionalProperties: infer Value }
              ? Readonly<Record<string, FromSchema<Value>>>
              : unknown;

type PresentKeys<S, Fields> = {
  [Key in keyof Fields]: S extends { readonly required: readonly (infer Required)[] }
    ? Key extends Required
      ? Key
      : Fields[Key] extends { readonly default: unknown }
        ? Key
        : never
    : Fields[Key] extends { readonly default: unknown }
      ? Key
      : never;
}[keyof Fields];
type Present<S, Fields> = { readonly [Key in PresentKeys<S, Fields>]: FromSchema<Fields[Key]> };
type Missing<S, Fields> = { readonly [Key in Exclude<keyof Fields, PresentKeys<S, Fields>>]?: FromSchema<Fields[Key]> };
type Simplify<T> = { [Key in keyof T]: T[Key] };

/** What every object has. */
export interface KubeObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: {
    readonly name?: string;
    readonly namespace?: string;
    readonly uid?: string;
    readonly labels?: Readonly<Record<string, string>>;
    readonly annotations?: Readonly<Record<string, string>>;
    readonly [field: string]: unknown;
  };
}

/** An object whose kind has this schema. */
export type ObjectOf<S extends Schema> = KubeObject & FromSchema<S>;
