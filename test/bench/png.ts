/**
 * Pictures as PNG: 8-bit colors, no filters, one compressed block of data.
 *
 * Source: W3C, Portable Network Graphics (PNG) Specification, third edition.
 */
import { crc32, deflateSync } from "node:zlib";

/** Red, green, blue; 0 to 255 each. */
export type Color = readonly [red: number, green: number, blue: number];

/** A picture to paint on. What lies outside of it is not painted. */
export interface Picture {
  readonly width: number;
  readonly height: number;
  paint(x: number, y: number, color: Color): void;
  /** The file's bytes. */
  encode(): Buffer;
}

const signature = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
/** Bits of a sample, color type RGB, and the only methods that there are. */
const format = [8, 2, 0, 0, 0];

/** Makes a white picture. */
export function createPicture(width: number, height: number): Picture {
  // Each row begins with its filter: none.
  const stride = 1 + width * 3;
  const rows = Buffer.alloc(stride * height, 255);
  for (let y = 0; y < height; y++) rows[y * stride] = 0;
  return {
    width,
    height,
    paint(x, y, color) {
      if (x >= 0 && x < width && y >= 0 && y < height) rows.set(color, y * stride + 1 + x * 3);
    },
    encode() {
      const head = Buffer.alloc(8);
      head.writeUInt32BE(width, 0);
      head.writeUInt32BE(height, 4);
      const header = Buffer.concat([head, Buffer.from(format)]);
      return Buffer.concat([signature, chunk("IHDR", header), chunk("IDAT", deflateSync(rows)), chunk("IEND")]);
    },
  };
}

function chunk(type: string, data: Uint8Array = new Uint8Array()): Buffer {
  const named = Buffer.concat([Buffer.from(type, "latin1"), data]);
  const [length, sum] = [Buffer.alloc(4), Buffer.alloc(4)];
  length.writeUInt32BE(data.length);
  sum.writeUInt32BE(crc32(named));
  return Buffer.concat([length, named, sum]);
}
