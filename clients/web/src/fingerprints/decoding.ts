/**
 * Pictures from files, with what the browser brings: the first frame, upright, on white, as in the
 * Python client. Colour profiles are not applied: no two programs apply them alike.
 */

import { ImageTooLarge, NotAnImage } from "../errors";
import type { Picture } from "./pictures";

/** The largest pictures that phones and cameras commonly make pass. */
export const MAX_PIXELS = 1 << 27;
/** Longest side in pixels: the longest that a JPEG or GIF can have. */
export const MAX_SIDE = 65_535;
/** The largest picture accepted, uncompressed. */
export const MAX_FILE_BYTES = 3 * MAX_PIXELS;

/** Where a signature stands, and what it is. Other formats are read by some browsers only. */
const SIGNATURES: readonly (readonly [number, string])[] = [
  [0, "\xff\xd8\xff"], // JPEG
  [0, "\x89PNG\r\n\x1a\n"],
  [0, "GIF87a"],
  [0, "GIF89a"],
  [8, "WEBP"],
  [4, "ftypavif"],
  [4, "ftypavis"],
];
const LONGEST_SIGNATURE = 12;

/** Refuse a file that is too large, or does not begin like a picture that is read here. */
export async function checkFile(file: Blob): Promise<void> {
  if (file.size > MAX_FILE_BYTES) {
    throw new ImageTooLarge(`the file has more than ${MAX_FILE_BYTES} bytes`);
  }
  const start = new Uint8Array(await file.slice(0, LONGEST_SIGNATURE).arrayBuffer());
  const text = String.fromCharCode(...start);
  if (!SIGNATURES.some(([at, signature]) => text.startsWith(signature, at))) {
    throw new NotAnImage("not a JPEG, PNG, WebP, AVIF or GIF picture");
  }
}

/**
 * The picture in a file, in a page or in a worker.
 *
 * Throws `NotAnImage`: another format, or damaged. `ImageTooLarge`: too many bytes or pixels.
 */
export async function decodePicture(file: Blob): Promise<Picture> {
  await checkFile(file);
  const bitmap = await bitmapOf(file);
  try {
    return onWhite(bitmap);
  } finally {
    bitmap.close();
  }
}

async function bitmapOf(file: Blob): Promise<ImageBitmap> {
  try {
    return await createImageBitmap(file, {
      imageOrientation: "from-image",
      colorSpaceConversion: "none",
    });
  } catch {
    throw new NotAnImage("the picture is damaged, or this browser does not read its format");
  }
}

function onWhite(bitmap: ImageBitmap): Picture {
  const { width, height } = bitmap;
  if (Math.max(width, height) > MAX_SIDE || width * height > MAX_PIXELS) {
    throw new ImageTooLarge(`${width} x ${height} pixels are too many; a smaller copy will do`);
  }
  const canvas = new OffscreenCanvas(width, height);
  const context = canvas.getContext("2d", { alpha: false, willReadFrequently: true });
  if (context === null) throw new ImageTooLarge("this browser has no room for the picture");
  context.fillStyle = "white";
  context.fillRect(0, 0, width, height);
  context.drawImage(bitmap, 0, 0);
  return { width, height, rows: (top, count) => context.getImageData(0, top, width, count).data };
}
