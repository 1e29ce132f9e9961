/**
 * `/healthz`, `/livez` and `/readyz`, each check by its own path as well, and `/version`.
 *
 * None of them asks a store: a store that is away is its own resources' affair.
 * Source: apiserver pkg/server/healthz/healthz.go, pkg/server/routes/version.go.
 */
import { goQuote } from "../apimachinery/go-text.ts";
import type { HttpAnswer } from "../apimachinery/http.ts";
import type { JsonObject } from "../apimachinery/json.ts";

/** The three endpoints. */
export type HealthEndpoint = "healthz" | "livez" | "readyz";

/** One thing that must hold. */
export interface HealthCheck {
  readonly name: string;
  readonly endpoints: readonly HealthEndpoint[];
  /** True: it is told by its own path and where details are asked for, and fails nothing else. Default: false. */
  readonly isDetail?: boolean;
  /** Gives why it doesn't hold; undefined: it does. */
  readonly check: () => string | undefined;
}

/** Answers health requests. */
export interface Health {
  /** Undefined: not a path of health's. */
  answer(path: string, query: ReadonlyMap<string, readonly string[]>): HttpAnswer | undefined;
}

const endpoints: readonly HealthEndpoint[] = ["healthz", "livez", "readyz"];

/** Is told what a check said. */
export type ObserveCheck = (name: string, endpoint: HealthEndpoint, isFine: boolean) => void;

/** Makes the endpoints over the given checks, which are asked in order. */
export function createHealth(options: {
  readonly checks: readonly HealthCheck[];
  readonly observe?: ObserveCheck;
}): Health {
  const { checks, observe = () => {} } = options;
  return {
    answer(path, query) {
      const endpoint = endpoints.find((name) => path === `/${name}` || path.startsWith(`/${name}/`));
      if (endpoint === undefined) return undefined;
      const mine = checks
        .filter((one) => one.endpoints.includes(endpoint))
        .map((one) => observed(one, endpoint, observe));
      if (path === `/${endpoint}`) return answerAll(endpoint, mine, query);
      const found = mine.find((one) => path === `/${endpoint}/${one.name}`);
      if (found === undefined) return undefined;
      const why = found.check();
      // kube-apiserver lets the type of this one be guessed, and forbids no guessing.
      if (why === undefined) return { ...text(200, "ok"), headers: { "Content-Type": plainText } };
      return text(500, `internal server error: ${why}\n`);
    },
  };
}

function observed(one: HealthCheck, endpoint: HealthEndpoint, observe: ObserveCheck): HealthCheck {
  const check = () => {
    const why = one.check();
    observe(one.name, endpoint, why === undefined);
    return why;
  };
  return { ...one, check };
}

function answerAll(
  endpoint: HealthEndpoint,
  checks: readonly HealthCheck[],
  query: ReadonlyMap<string, readonly string[]>,
): HttpAnswer {
  const excluded = new Set(query.get("exclude") ?? []);
  const lines: string[] = [];
  let isFailed = false;
  for (const { name, check, isDetail = false } of checks) {
    if (excluded.delete(name)) {
      lines.push(`[+]${name} excluded: ok\n`);
      continue;
    }
    const why = check();
    // Health paths are open to all; the check's own path, which needs rights, tells the reason.
    lines.push(why === undefined ? `[+]${name} ok\n` : `[-]${name} failed: reason withheld\n`);
    isFailed ||= why !== undefined && !isDetail;
  }
  if (excluded.size > 0) {
    const names = [...excluded].sort().map(goQuote).join(",");
    lines.push(`warn: some health checks cannot be excluded: no matches for ${names}\n`);
  }
  if (isFailed) return text(500, `${lines.join("")}${endpoint} check failed\n`);
  if (!query.has("verbose")) return text(200, "ok");
  return text(200, `${lines.join("")}${endpoint} check passed\n`);
}

const plainText = "text/plain; charset=utf-8";

function text(status: number, body: string): HttpAnswer {
  return {
    status,
    headers: { "Content-Type": plainText, "X-Content-Type-Options": "nosniff" },
    body: Buffer.from(body),
  };
}

/** The Kubernetes whose behaviour is followed, as `major.minor`. */
export const kubernetesVersion = "1.36";

/**
 * Gives `/version`: the Kubernetes that clients may take us for, and ourselves behind the plus sign.
 * @param emulated as `major.minor`. @throws Error if it isn't that.
 */
export function versionDocument(version: string, emulated = kubernetesVersion): JsonObject {
  const [, major = "", minor = ""] = /^(\d+)\.(\d+)$/.exec(emulated) ?? [];
  if (major === "") throw new Error(`the effective version ${goQuote(emulated)} is not major.minor, like "1.36"`);
  return {
    major,
    minor,
    gitVersion: `v${major}.${minor}.0+annex-${version}`,
    gitCommit: "",
    gitTreeState: "",
    buildDate: "1970-01-01T00:00:00Z",
    goVersion: "",
    compiler: "v8",
    platform: `${process.platform}/${process.arch === "x64" ? "amd64" : process.arch}`,
  };
}
