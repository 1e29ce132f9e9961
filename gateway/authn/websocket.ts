/**
 * Knows users by a token among the subprotocols that a WebSocket offers: a browser can't set headers.
 *
 *     Sec-WebSocket-Protocol: base64url.bearer.authorization.k8s.io.<base64url of the token>, v5.channel.k8s.io
 *
 * Another subprotocol must be offered too, for the server to name in its answer: the token's is never
 * echoed, and behind authentication nobody sees it.
 * Source: apiserver pkg/authentication/request/websocket/protocol.go; RFC 6455 section 11.3.4.
 */
import type { HttpRequest } from "../apimachinery/http.ts";
import type { TokenAuthenticator } from "./bearer.ts";
import type { Authenticator } from "./union.ts";

/** The header, by its lower-case name. */
export const protocolHeader = "sec-websocket-protocol";
const tokenPrefix = "base64url.bearer.authorization.k8s.io.";

/** Gives an authenticator for WebSockets. A token that nobody has is a failure. */
export function webSocketAuthenticator(userOf: TokenAuthenticator): Authenticator {
  return async (request) => {
    if (!isWebSocket(request)) return undefined;
    const offered = request.headers(protocolHeader).flatMap(protocolsOf);
    const tokens = offered.filter(isTokenProtocol);
    if (tokens.length > 1) throw new Error("multiple base64.bearer.authorization tokens specified");
    const token = decodeToken(tokens[0] ?? tokenPrefix);
    if (token === "") return undefined;
    if (offered.length === 1) throw new Error("missing additional subprotocol");
    const user = await userOf(token);
    if (user === undefined) throw new Error("invalid bearer token");
    return user;
  };
}

/** Gives a value of the header without tokens; `""` if nothing else was offered. */
export function withoutTokens(value: string): string {
  const protocols = protocolsOf(value);
  return protocols.some(isTokenProtocol) ? protocols.filter((one) => !isTokenProtocol(one)).join(",") : value;
}

function isWebSocket(request: HttpRequest): boolean {
  if (request.header("upgrade")?.toLowerCase() !== "websocket") return false;
  return request.headers("connection").some((value) => value.toLowerCase().includes("upgrade"));
}

function protocolsOf(value: string): string[] {
  return value.split(",").map((one) => one.trim());
}

/** Tells if a subprotocol is a token's. */
export function isTokenProtocol(protocol: string): boolean {
  return protocol.startsWith(tokenPrefix);
}

/** @throws Error if it is no base64url without padding, or no UTF-8. */
function decodeToken(protocol: string): string {
  const encoded = protocol.slice(tokenPrefix.length);
  const bytes = Buffer.from(encoded, "base64url");
  if (bytes.toString("base64url") !== encoded) throw new Error("invalid base64.bearer.authorization token encoding");
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (error) {
    throw new Error("invalid base64.bearer.authorization token", { cause: error });
  }
}
