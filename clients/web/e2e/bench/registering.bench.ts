/**
 * How long ten photographs take on the page, and how large the page is: `make bench-web`.
 *
 * Against a registry with the settings it has by default, on the same machine. Not a test: nothing
 * here is asserted but that it works.
 */

import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { cpus, loadavg } from "node:os";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import type { Page } from "playwright-core";
import { test } from "vitest";
import { en } from "../../src/i18n/en";
import { Registry } from "../../tests/support/registry";
import { launch, sharedPhotographs } from "../browser";
import { button, choose, takeWords } from "../page";

const PHOTOGRAPHS = 10;
const RUNS = 3;
const BUILT = fileURLToPath(new URL("../../../../registry/web_assets/", import.meta.url));
const OUT = fileURLToPath(new URL("../../../../build/", import.meta.url));

/** As served by default: the tests' registry asks for less. */
const DEFAULTS = {
  CONSENT_REGISTRY_PROOF_OF_WORK_DIGITS: "3",
  CONSENT_REGISTRY_BATCH_SECONDS: "0.5",
};

interface Times {
  /** From the address to a page that can be used, in a fresh profile. */
  readonly opening: number;
  readonly fingerprinting: number;
  /** From the last key to ten verified receipts. */
  readonly registering: number;
}

async function measured(page: Page, url: string, files: readonly string[]): Promise<Times> {
  const begun = performance.now();
  await page.goto(url);
  await page.locator("input[type=file]").first().waitFor({ state: "attached" });
  const opened = performance.now();
  await choose(page, files);
  await page.getByRole("heading", { name: en.protect.statementTitle }).waitFor();
  const fingerprinted = performance.now();
  await button(page, en.next).click();
  const confirming = takeWords(page);
  await confirming;
  const sent = performance.now();
  await page.getByRole("heading", { name: en.protect.doneAll }).waitFor();
  return {
    opening: opened - begun,
    fingerprinting: fingerprinted - opened,
    registering: performance.now() - sent,
  };
}

const median = (values: readonly number[]): number =>
  [...values].sort((left, right) => left - right)[values.length >> 1] ?? 0;

/** Files of the page by a test of their names, as they are and as they are sent, in kB. */
function sizes(isWanted: (name: string) => boolean): readonly [number, number] {
  const names = readdirSync(BUILT, { recursive: true, encoding: "utf-8" });
  const files = names.filter((name) => /\.(js|css|html|svg)$/.test(name) && isWanted(name));
  const plain = files.reduce((sum, name) => sum + statSync(BUILT + name).size, 0);
  const sent = files.reduce((sum, name) => sum + gzipSync(readFileSync(BUILT + name)).length, 0);
  return [plain / 1000, sent / 1000];
}

test("ten photographs", async () => {
  const files = sharedPhotographs(PHOTOGRAPHS);
  if (files.length < PHOTOGRAPHS) throw new Error("needs the photographs beside the project");
  const registry = await Registry.start(DEFAULTS);
  const browser = await launch();
  const runs: Times[] = [];
  try {
    for (let run = 0; run < RUNS; run++) {
      const context = await browser.newContext({ locale: "en-GB" });
      runs.push(await measured(await context.newPage(), registry.url, files));
      await context.close();
    }
  } finally {
    await browser.close();
    await registry.stop();
  }
  const time = (of: (times: Times) => number): string =>
    `${(median(runs.map(of)) / 1000).toFixed(1)} s`;
  const isOther = (name: string): boolean => /^assets\/(de|fr)-/.test(name);
  const [plain, sent] = sizes((name) => !isOther(name));
  const [all, allSent] = sizes(() => true);
  const kB = (value: number): string => `${value.toFixed(0)} kB`;
  const rows = [
    ["opening the page, fresh profile", time(({ opening }) => opening)],
    [`fingerprints of ${PHOTOGRAPHS} photographs`, time(({ fingerprinting }) => fingerprinting)],
    [`${PHOTOGRAPHS} photographs registered and verified`, time(({ registering }) => registering)],
    ["the page in one language, as it is", kB(plain)],
    ["- as it is sent", kB(sent)],
    ["the page in all languages, as it is", kB(all)],
    ["- as it is sent", kB(allSent)],
  ];
  const table = ["| what | measured |", "|---|---|", ...rows.map(([a, b]) => `| ${a} | ${b} |`)];
  const [load = 0] = loadavg();
  const setting = `Median of ${RUNS} on ${cpus().length} cores, load ${load.toFixed(1)}.`;
  mkdirSync(OUT, { recursive: true });
  writeFileSync(`${OUT}bench-web.md`, `${table.join("\n")}\n\n${setting}\n`);
});
