/**
 * Remembers for a moment whose a token is.
 *
 * Yes and no are kept, failures are not; the same token that is being looked up is looked up once. The
 * cache knows tokens by their digest.
 * Source: apiserver pkg/authentication/token/cache/cached_token_authenticator.go.
 */
import type { User } from "../apimachinery/user.ts";
import type { TokenAuthenticator } from "./bearer.ts";
import { tokenDigests } from "./token-digest.ts";

/** Is told how the cache does. */
export interface ObserveTokens {
  /** A token was judged, with or without asking. */
  tokenAsked(status: "hit" | "miss", seconds: number): void;
  /** Somebody was asked, and did or didn't answer. */
  tokenFetched(status: "ok" | "error"): void;
}

/** How long answers count. */
export interface TokenCacheOptions {
  /** How long a token's user is believed, and how long that it has none. */
  readonly ttlMs: number;
  /** In ms. */
  readonly now: () => number;
  readonly observe?: ObserveTokens | undefined;
}

/** Tokens in use at once: 5,000 nodes and 10,000 service accounts, twice. A few hundred bytes each. */
const maxTokens = 32_768;

interface Entry {
  readonly user: User | undefined;
  readonly until: number;
}

/** Gives an authenticator that asks `userOf` only for what it doesn't know. */
export function cachedTokens(
  userOf: TokenAuthenticator,
  { ttlMs, now, observe }: TokenCacheOptions,
): TokenAuthenticator {
  const digestOf = tokenDigests();
  // In order of their time to live, which is the same for all.
  const entries = new Map<string, Entry>();
  const asking = new Map<string, Promise<User | undefined>>();

  async function ask(digest: string, token: string): Promise<User | undefined> {
    try {
      const user = await fetched(token);
      entries.delete(digest);
      entries.set(digest, { user, until: now() + ttlMs });
      sweep();
      return user;
    } finally {
      asking.delete(digest);
    }
  }

  async function fetched(token: string): Promise<User | undefined> {
    try {
      const user = await userOf(token);
      observe?.tokenFetched("ok");
      return user;
    } catch (error) {
      observe?.tokenFetched("error");
      throw error;
    }
  }

  function sweep(): void {
    for (const [digest, { until }] of entries) {
      if (until > now() && entries.size <= maxTokens) return;
      entries.delete(digest);
    }
  }

  return (token) => {
    const began = now();
    const tell = (status: "hit" | "miss") => observe?.tokenAsked(status, (now() - began) / 1000);
    const digest = digestOf(token);
    const entry = entries.get(digest);
    if (entry !== undefined && entry.until > began) {
      tell("hit");
      return entry.user;
    }
    let asked = asking.get(digest);
    if (asked === undefined) {
      asked = ask(digest, token);
      asking.set(digest, asked);
    }
    return asked.finally(() => tell("miss"));
  };
}
