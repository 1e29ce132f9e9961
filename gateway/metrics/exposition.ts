/**
 * The text form in which Prometheus reads figures.
 *
 * Source: Prometheus, "Exposition formats", version 0.0.4.
 */
import { createTurns } from "../apimachinery/steps.ts";
import type { Family } from "./family.ts";

/** What the text says it is. */
export const textMediaType = "text/plain; version=0.0.4; charset=utf-8";

/** Characters that become bytes at once. */
const pieceChars = 64 * 1024;

/** Gives the text of families, sorted by their names; one without series is left out. */
export async function formatFamilies(families: readonly Family[]): Promise<Buffer[]> {
  const buffers: Buffer[] = [];
  const turnIfDue = createTurns();
  let text = "";
  for (const family of [...families].sort((a, b) => (a.name < b.name ? -1 : 1))) {
    let head = headOf(family);
    for (const lines of family.lines()) {
      text += head + lines;
      head = "";
      if (text.length >= pieceChars) {
        buffers.push(Buffer.from(text));
        text = "";
      }
      const due = turnIfDue();
      if (due !== undefined) await due;
    }
  }
  return text === "" ? buffers : [...buffers, Buffer.from(text)];
}

/** Gives the lines that stand above a family's. */
export function headOf({ name, help, type }: Family): string {
  const escaped = help.replaceAll("\\", "\\\\").replaceAll("\n", "\\n");
  return `# HELP ${name} ${escaped}\n# TYPE ${name} ${type}\n`;
}
