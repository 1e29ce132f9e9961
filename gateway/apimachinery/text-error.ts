/**
 * An answer that is plain text and no Status.
 *
 * Kubernetes answers a few failures outside its own encoding: a URL that names no resource, an
 * authorizer that broke. Throw one where the fact is known; whoever turns errors into answers sends
 * `text` and a newline as `text/plain; charset=utf-8` with `X-Content-Type-Options: nosniff`.
 * Source: Go net/http Error; apiserver pkg/endpoints/handlers/responsewriters/errors.go.
 */
import { goQuote } from "./go-text.ts";

/** A failure that is shown as text. */
export class TextError extends Error {
  override readonly name = "TextError";
  /** The HTTP status. */
  readonly code: number;
  /** The body, without the newline that ends it. */
  readonly text: string;
  constructor(code: number, text: string, options?: ErrorOptions) {
    super(text, options);
    this.code = code;
    this.text = text;
  }
}

/** A request whose first line can't be read: Go's server refuses it before Kubernetes sees it, with the bare text. */
export class UnreadableRequest extends TextError {
  constructor() {
    super(400, "400 Bad Request");
  }
}

/** Gives 500 `Internal Server Error: "<uri>": <why>`; `why` must be fit for clients. */
export function internalServerError(uri: string, why: string, options?: ErrorOptions): TextError {
  return new TextError(500, escapeMarkup(`Internal Server Error: ${goQuote(uri)}: ${why}`), options);
}

/** Gives a text in which nothing looks like HTML: `&`, `<` and `>` as entities, quotes as they are. */
export function escapeMarkup(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}
