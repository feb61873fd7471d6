/**
 * Several files as one, to be saved at once: a ZIP archive without compression (APPNOTE 6.3.3,
 * method 0). Receipts are small, and a page saves only one file well.
 */

import { type Bytes, concat, utf8 } from "../protocol";

const LOCAL = 0x04034b50;
const CENTRAL = 0x02014b50;
const END = 0x06054b50;
const VERSION = 20;
/** Bit 11: names are UTF-8. */
const FLAGS = 0x0800;
/** 1980-01-01, the earliest day that ZIP knows: when something was saved is nobody's business. */
const DAY = 0x0021;

const CRC_TABLE = Uint32Array.from({ length: 256 }, (_, start) => {
  let value = start;
  for (let bit = 0; bit < 8; bit++) value = (value >>> 1) ^ (value & 1 ? 0xedb88320 : 0);
  return value;
});

/** CRC-32 as in ZIP and PNG. */
export function crc32(data: Uint8Array): number {
  let value = 0xffffffff;
  for (const byte of data) value = (value >>> 8) ^ (CRC_TABLE[(value ^ byte) & 0xff] ?? 0);
  return (value ^ 0xffffffff) >>> 0;
}

/** The archive of these texts by name; names are unique. */
export function archive(files: readonly (readonly [string, string])[]): Bytes {
  const parts: Bytes[] = [];
  const directory: Bytes[] = [];
  let offset = 0;
  for (const [name, text] of files) {
    const [title, data] = [utf8(name), utf8(text)];
    const common = little(
      [VERSION, 2],
      [FLAGS, 2],
      [0, 2], // stored
      [0, 2],
      [DAY, 2],
      [crc32(data), 4],
      [data.length, 4],
      [data.length, 4],
      [title.length, 2],
      [0, 2],
    );
    const local = concat(little([LOCAL, 4]), common, title, data);
    const rest = little([0, 2], [0, 2], [0, 2], [0, 4], [offset, 4]);
    directory.push(concat(little([CENTRAL, 4], [VERSION, 2]), common, rest, title));
    parts.push(local);
    offset += local.length;
  }
  const listed = concat(...directory);
  const { length } = files;
  const end = little(
    [END, 4],
    [0, 2],
    [0, 2],
    [length, 2],
    [length, 2],
    [listed.length, 4],
    [offset, 4],
    [0, 2],
  );
  return concat(...parts, listed, end);
}

/** Values in so many bytes each, least significant first. */
function little(...fields: readonly (readonly [value: number, bytes: number])[]): Bytes {
  const bytes = fields.flatMap(([value, count]) =>
    Array.from({ length: count }, (_, at) => Math.floor(value / 256 ** at) % 256),
  );
  return Uint8Array.from(bytes);
}
