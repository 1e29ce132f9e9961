/** Takes off a request what says who asks: nobody behind authentication may come to believe, or pass on, any of it. */
import { type HttpRequest, withRawHeaders } from "../apimachinery/http.ts";
import { type IdentityHeaders, isIdentityHeader, standardHeaders } from "./request-header.ts";
import { isTokenProtocol, protocolHeader, withoutTokens } from "./websocket.ts";

/** Gives the request without credentials; `more` names headers beside the standard ones. */
export function withoutCredentials(request: HttpRequest, more?: IdentityHeaders): HttpRequest {
  const sets = more === undefined ? [standardHeaders] : [standardHeaders, more];
  const kept = request.rawHeaders.flatMap(([name, value]) => {
    if (name === "authorization" || sets.some((headers) => isIdentityHeader(name, headers))) return [];
    if (name !== protocolHeader) return [[name, value] as const];
    const protocols = withoutTokens(value);
    return protocols === "" ? [] : [[name, protocols] as const];
  });
  const offered = request.webSocket?.filter((protocol) => !isTokenProtocol(protocol));
  return withRawHeaders(request, kept, offered);
}
