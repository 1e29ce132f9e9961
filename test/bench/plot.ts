/**
 * Lines over time as a picture: panels one below the other, each with an axis of its own from zero, all over
 * the same seconds.
 */
import { type Color, createPicture, type Picture } from "./png.ts";

/** One line. */
export interface Line {
  readonly name: string;
  /** Seconds and values, in the order of the seconds. */
  readonly points: readonly (readonly [seconds: number, value: number])[];
}

/** Lines of one unit. */
export interface Panel {
  readonly title: string;
  readonly lines: readonly Line[];
}

const [width, panelHeight] = [1200, 260];
const margin = { left: 90, right: 30, top: 50, bottom: 40 };
const colors: readonly Color[] = [
  [31, 119, 180],
  [214, 39, 40],
  [44, 160, 44],
  [148, 103, 189],
];
const [ink, grid]: readonly [Color, Color] = [
  [60, 60, 60],
  [225, 225, 225],
];
/** Pixels of one dot of a letter. */
const scale = 2;
/** About so many lines across. */
const gridLines = 5;

/** Draws the panels. @returns a PNG. */
export function plot(title: string, panels: readonly Panel[]): Buffer {
  const picture = createPicture(width, margin.top + panels.length * panelHeight);
  write(picture, margin.left, 16, title, ink);
  const seconds = Math.max(
    1,
    ...panels.flatMap(({ lines }) => lines.flatMap(({ points }) => points.map(([at]) => at))),
  );
  for (const [index, panel] of panels.entries()) drawPanel(picture, margin.top + index * panelHeight, panel, seconds);
  return picture.encode();
}

function drawPanel(picture: Picture, top: number, { title, lines }: Panel, seconds: number): void {
  const box = {
    left: margin.left,
    right: width - margin.right,
    top: top + 24,
    bottom: top + panelHeight - margin.bottom,
  };
  const most = Math.max(1e-9, ...lines.flatMap(({ points }) => points.map(([, value]) => value)));
  const step = roundStep(most / gridLines);
  const end = Math.ceil(most / step) * step;
  const x = (at: number) => Math.round(box.left + (at / seconds) * (box.right - box.left));
  const y = (value: number) => Math.round(box.bottom - (value / end) * (box.bottom - box.top));
  for (let value = 0; value <= end + step / 2; value += step) {
    straight(picture, [box.left, y(value)], [box.right, y(value)], grid);
    const text = String(Number(value.toPrecision(6)));
    write(picture, box.left - 8 - textWidth(text), y(value) - 5, text, ink);
  }
  const secondStep = roundStep(seconds / 10);
  for (let at = 0; at <= seconds; at += secondStep) {
    straight(picture, [x(at), box.top], [x(at), box.bottom], grid);
    const text = `${Number(at.toPrecision(6))} s`;
    write(picture, x(at) - textWidth(text) / 2, box.bottom + 8, text, ink);
  }
  write(picture, box.left, top + 4, title, ink);
  let legend = box.left + textWidth(title) + 40;
  for (const [index, { name, points }] of lines.entries()) {
    if (points.length === 0) continue;
    const color = colors[index % colors.length] as Color;
    write(picture, legend, top + 4, name, color);
    legend += textWidth(name) + 30;
    for (const [at, point] of points.entries()) {
      const before = points[Math.max(0, at - 1)] ?? point;
      for (const lower of [0, 1])
        straight(picture, [x(before[0]), y(before[1]) + lower], [x(point[0]), y(point[1]) + lower], color);
    }
  }
}

/** Gives 1, 2 or 5 times a power of ten, not below a value. */
function roundStep(value: number): number {
  const power = 10 ** Math.floor(Math.log10(value));
  return (([1, 2, 5].find((factor) => factor * power >= value) ?? 10) as number) * power;
}

type Point = readonly [x: number, y: number];

function straight(picture: Picture, [fromX, fromY]: Point, [toX, toY]: Point, color: Color): void {
  const steps = Math.max(1, Math.abs(toX - fromX), Math.abs(toY - fromY));
  for (let step = 0; step <= steps; step++) {
    const part = step / steps;
    picture.paint(Math.round(fromX + (toX - fromX) * part), Math.round(fromY + (toY - fromY) * part), color);
  }
}

function textWidth(text: string): number {
  return text.length * 4 * scale;
}

function write(picture: Picture, left: number, top: number, text: string, color: Color): void {
  for (const [index, character] of [...text.toUpperCase()].entries()) {
    const dots = letters[character] ?? letters["?"] ?? "";
    for (let dot = 0; dot < dots.length; dot++) {
      if (dots[dot] !== "#") continue;
      const [x, y] = [(index * 4 + (dot % 3)) * scale, Math.floor(dot / 3) * scale];
      for (let pixel = 0; pixel < scale * scale; pixel++)
        picture.paint(Math.round(left) + x + (pixel % scale), top + y + Math.floor(pixel / scale), color);
    }
  }
}

/** Three dots wide and five high, row by row; capitals only. */
const letters: Readonly<Record<string, string>> = {
  "0": "#### ## ## ####",
  "1": " # ##  #  # ###",
  "2": "###  #####  ###",
  "3": "###  # ##  ####",
  "4": "# ## ####  #  #",
  "5": "####  ###  ####",
  "6": "####  #### ####",
  "7": "###  # #  #  # ",
  "8": "#### ##### ####",
  "9": "#### ####  ####",
  A: " # # ##### ## #",
  B: "## # ### # ### ",
  C: " ###  #  #   ##",
  D: "## # ## ## ### ",
  E: "####  ## #  ###",
  F: "####  ## #  #  ",
  G: " ###  # ## # ##",
  H: "# ## ##### ## #",
  I: "### #  #  # ###",
  J: "  #  #  ## # # ",
  K: "# ## ### # ## #",
  L: "#  #  #  #  ###",
  M: "# ######## ## #",
  N: "## # ## ## ## #",
  O: " # # ## ## # # ",
  P: "## # ### #  #  ",
  Q: " # # ## # #  ##",
  R: "## # ### # ## #",
  S: " ###   #   ### ",
  T: "### #  #  #  # ",
  U: "# ## ## ## ####",
  V: "# ## ## ## # # ",
  W: "# ## ######## #",
  X: "# ## # # # ## #",
  Y: "# ## # #  #  # ",
  Z: "###  # # #  ###",
  " ": "               ",
  ".": "             # ",
  ",": "          # #  ",
  ":": "    #     #    ",
  "/": "  #  # # #  #  ",
  "%": "# #  # # #  # #",
  "-": "      ###      ",
  "+": "    # ### #    ",
  "(": " # #  #  #   # ",
  ")": " #   #  #  # # ",
  "?": "##   # #     # ",
};
