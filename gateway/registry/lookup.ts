/**
 * The IP addresses behind a name, for names that stand for several endpoints.
 *
 * A name with one address of each family is one endpoint: Node tries both families by itself. One with
 * more stands for as many endpoints, of the family that the resolver names first.
 */
import { lookup as lookUp } from "node:dns/promises";
import { isIP } from "node:net";

/** Gives every address of a host, in the resolver's order. @throws Error if it has none, or can't be asked. */
export type Lookup = (host: string) => Promise<readonly { readonly address: string; readonly family: number }[]>;

/** Asks the operating system, as Node does when it connects. */
export const systemLookup: Lookup = async (host) => await lookUp(host, { all: true, order: "verbatim" });

/** Gives the host of an address that may have several IP addresses; undefined: a socket, or an IP address. */
export function hostOf(address: string): string | undefined {
  if (address.startsWith("unix:")) return undefined;
  const host = address.slice(0, address.lastIndexOf(":"));
  return host.startsWith("[") || isIP(host) !== 0 ? undefined : host;
}

/**
 * Gives the IP addresses that are endpoints of their own; none: the name is one endpoint.
 * @param wasSpread whether the name has had several: then one that is left is dialled as before.
 */
export function spreadOf(found: Awaited<ReturnType<Lookup>>, wasSpread: boolean): readonly string[] {
  const ofFamily = (family: number | undefined) => found.filter((one) => one.family === family);
  if (!wasSpread && ofFamily(4).length <= 1 && ofFamily(6).length <= 1) return [];
  return [...new Set(ofFamily(found[0]?.family).map(({ address }) => address))];
}
