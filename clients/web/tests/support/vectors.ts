/** The vectors that every implementation shares. */

import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { hexToBytes } from "@noble/hashes/utils.js";
import type { Bytes } from "../../src/protocol";

export const PROJECT = fileURLToPath(new URL("../../../../", import.meta.url));
export const VECTORS = `${PROJECT}tests/vectors/`;

export function read(name: string): any {
  return JSON.parse(readFileSync(VECTORS + name, "utf-8"));
}

export const hex = (text: string): Bytes => hexToBytes(text);

export interface Corruption {
  readonly format: string;
  readonly description: string;
  readonly input: any;
  readonly error: string;
}

/** Names of the corruptions of a format. */
export function corruptions(format: string): string[] {
  return readdirSync(`${VECTORS}corruptions/${format}`).sort();
}

export const corruption = (format: string, name: string): Corruption =>
  read(`corruptions/${format}/${name}`);

/** What a generator comes to. */
export function drained<T>(steps: Generator<unknown, T>): T {
  for (;;) {
    const { done, value } = steps.next();
    if (done === true) return value;
  }
}
