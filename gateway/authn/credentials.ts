/** Takes off a request what says who asks: nobody behind authentication may come to believe, or pass on, any of it. */
import { type HttpRequest, withRawHeaders } from "../apimachinery/http.ts";
import { type IdentityHeaders, isIdentityHeader, standardHeaders } from "./request-header.ts";
import { isTokenProtocol, protocolHeader, withoutTokens } from "./websocket.ts";

/** Gives the request without credentials; `more` names headers beside the standard ones. */
export function withoutCredentials(request: HttpRequest, more?: IdentityHeaders): HttpRequest {
  const sets = more === undefined ? [standardHeaders] : [standardHeaders, more];
  const kept: (readonly [string, string])[] = [];
  for (const header of request.rawHeaders) {
    const [name, value] = header;
    if (name === "authorization" || sets.some((headers) => isIdentityHeader(name, headers))) continue;
    if (name !== protocolHeader) kept.push(header);
    else if (withoutTokens(value) !== "") kept.push([name, withoutTokens(value)]);
  }
  const offered = request.webSocket?.filter((protocol) => !isTokenProtocol(protocol));
  return withRawHeaders(request, kept, offered);
}
