/**
 * Whether a text is an absolute URI or an absolute path, as Go's url.ParseRequestURI takes it.
 *
 * Source: Go net/url parse, parseAuthority, parseHost, unescape.
 */
import { isIPv6 } from "node:net";

const hostChars = /^[\w\-.~!$&'()*+,;=:[\]<>"%\u0080-\u{10ffff}]*$/u;
const userChars = /^[\w\-.~:!$&'()*+,;=%@]*$/;

/** Whether a text is a URI that a request could have. A fragment is taken as part of the path. */
export function isRequestUri(text: string): boolean {
  if (text === "" || /[\u0000-\u001f\u007f]/.test(text)) return false;
  if (text === "*") return true;
  if (text.startsWith(":")) return false;
  const scheme = /^([a-zA-Z][a-zA-Z0-9+.-]*):/.exec(text)?.[1] ?? "";
  const rest = (scheme === "" ? text : text.slice(scheme.length + 1)).replace(/\?.*$/s, "");
  if (!rest.startsWith("/")) return scheme !== "";
  if (scheme === "" || !rest.startsWith("//")) return isEscaped(rest);
  const slash = rest.indexOf("/", 2);
  const authority = slash < 0 ? rest.slice(2) : rest.slice(2, slash);
  return isAuthority(scheme.toLowerCase(), authority) && (slash < 0 || isEscaped(rest.slice(slash)));
}

/** Whether each percent sign begins two hexadecimal digits. */
function isEscaped(text: string): boolean {
  return !/%(?![0-9a-fA-F]{2})/.test(text);
}

function isAuthority(scheme: string, authority: string): boolean {
  const at = authority.lastIndexOf("@");
  if (!isHost(scheme, authority.slice(at + 1))) return false;
  if (at < 0) return true;
  const user = authority.slice(0, at);
  if (!userChars.test(user)) return false;
  const colon = user.indexOf(":");
  return colon < 0 ? isEscaped(user) : isEscaped(user.slice(0, colon)) && isEscaped(user.slice(colon + 1));
}

function isHost(scheme: string, host: string): boolean {
  const open = host.lastIndexOf("[");
  if (open > 0) return false;
  if (open === 0) return isLiteral(host);
  const first = host.indexOf(":");
  if (first >= 0) {
    const last = host.lastIndexOf(":");
    // Lists of hosts with ports are tolerated outside the web's own schemes.
    const port = scheme === "http" || scheme === "https" ? first : last;
    if (!isPort(host.slice(port))) return false;
  }
  return isHostText(host);
}

function isLiteral(host: string): boolean {
  const close = host.lastIndexOf("]");
  if (close < 0 || !isPort(host.slice(close + 1))) return false;
  const inner = host.slice(1, close);
  const zone = inner.indexOf("%25");
  if (zone < 0) return !inner.includes("%") && isIPv6(inner);
  return isIPv6(inner.slice(0, zone)) && inner.length > zone + 3 && isEscaped(inner.slice(zone));
}

function isPort(text: string): boolean {
  return text === "" || /^:[0-9]*$/.test(text);
}

/** In a host only bytes beyond ASCII may be escaped. */
function isHostText(host: string): boolean {
  return hostChars.test(host) && !/%(?!25|[89a-fA-F][0-9a-fA-F])/.test(host);
}
