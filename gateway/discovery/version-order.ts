/** The order of versions: stable before beta before alpha, greater before lesser, other names last. */

const kubeVersion = /^v(\d+)(?:(alpha|beta)(\d+))?$/;
const rank = { alpha: 1, beta: 2, stable: 3 } as const;

/** Compares two versions; negative if `a` is preferred. Source: apimachinery pkg/version/helpers.go. */
export function compareVersions(a: string, b: string): number {
  const [left, right] = [kubeVersion.exec(a), kubeVersion.exec(b)];
  if (left === null && right === null) return a < b ? -1 : a > b ? 1 : 0;
  if (left === null) return 1;
  if (right === null) return -1;
  const stage = (match: RegExpExecArray) => rank[(match[2] ?? "stable") as keyof typeof rank];
  const numbers = (match: RegExpExecArray) => [stage(match), Number(match[1]), Number(match[3] ?? 0)] as const;
  const [x, y] = [numbers(left), numbers(right)];
  return y[0] - x[0] || y[1] - x[1] || y[2] - x[2];
}
