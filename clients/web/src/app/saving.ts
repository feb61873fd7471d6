/** Handing a file to the person, without a server. */

import type { Bytes } from "../protocol";
import { archive } from "./archive";

/** Lets the browser save a file. */
export function saveFile(name: string, content: string | Bytes, type: string): void {
  const address = URL.createObjectURL(new Blob([content], { type }));
  const link = document.createElement("a");
  link.href = address;
  link.download = name;
  link.click();
  // The browser reads it after this task.
  setTimeout(() => URL.revokeObjectURL(address), 60_000);
}

/** Saves one text as it is, several in an archive. */
export function saveTexts(name: string, files: readonly (readonly [string, string])[]): void {
  const [only] = files;
  if (files.length === 1 && only) saveFile(only[0], only[1], "text/plain");
  else saveFile(`${name}.zip`, archive(files), "application/zip");
}
