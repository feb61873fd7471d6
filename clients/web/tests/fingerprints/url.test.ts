/** The canonical form of addresses: by the standard, the same every time, and no guessing. */

import { bytesToHex } from "@noble/hashes/utils.js";
import { describe, expect, test } from "vitest";
import { BadUrl } from "../../src/errors";
import { canonicalUrl, MAX_URL, urlFingerprint } from "../../src/fingerprints/url";
import { read } from "../support/vectors";

const vectors = read("url.json");

describe("canonical", () => {
  test.each<{ url: string; canonical: string; fingerprint: string }>(vectors.canonical)(
    "$url",
    ({ url, canonical, fingerprint }) => {
      expect(canonicalUrl(url)).toBe(canonical);
      expect(canonicalUrl(canonical)).toBe(canonical);
      expect(bytesToHex(urlFingerprint(url))).toBe(fingerprint);
    },
  );
});

describe("refused", () => {
  test.each<{ url: string; why: string }>(vectors.refused)("$why", ({ url }) => {
    expect(() => canonicalUrl(url)).toThrow(BadUrl);
    expect(() => canonicalUrl(url)).not.toThrow(/secret/);
  });
});

test("length is limited before and after", () => {
  const start = "http://example.org/";
  const most = start + "a".repeat(MAX_URL - start.length);
  expect(canonicalUrl(most)).toBe(most);
  expect(() => canonicalUrl(`${most}a`)).toThrow(BadUrl);
  expect(() => canonicalUrl(`${most.slice(0, -1)} b`)).toThrow(BadUrl);
});
