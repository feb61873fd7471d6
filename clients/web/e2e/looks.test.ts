/** Every page and step: no violation that axe finds, and a picture of it to be looked at. */

import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { en } from "../src/i18n/en";
import { hasPython, runPython } from "../tests/support/python";
import { Registry } from "../tests/support/registry";
import { canRun, launch, screenshot, sharedPhotographs } from "./browser";
import { button, goTo, saved, takeWords } from "./page";

const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf-8");
const TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];

interface Violation {
  readonly id: string;
  readonly nodes: readonly { readonly html: string; readonly failureSummary: string }[];
}

async function violations(page: Page): Promise<readonly Violation[]> {
  await page.evaluate(AXE);
  const run = `axe.run(document, { runOnly: ${JSON.stringify(TAGS)} })`;
  const { violations: found } = await page.evaluate<{ violations: Violation[] }>(run);
  return found.map(({ id, nodes }) => ({
    id,
    nodes: nodes.map(({ html, failureSummary }) => ({ html, failureSummary })),
  }));
}

describe.skipIf(!canRun || !hasPython)("each page", () => {
  let folder = "";
  let files: string[] = [];
  let registry: Registry;
  let browser: Browser;

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), "looks-"));
    runPython("clients/web/tests/browser/make_pictures.py", [folder]);
    const made = Object.keys(
      JSON.parse(readFileSync(join(folder, "pictures.json"), "utf-8")) as object,
    );
    files = [...sharedPhotographs(3), ...made.slice(0, 3).map((name) => join(folder, name))];
    [registry, browser] = await Promise.all([Registry.start(), launch()]);
    await registry.ask("certify", { folder, fingerprinted: files.at(-1) });
  });
  afterAll(async () => {
    await browser.close();
    await registry.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  for (const width of [360, 1280]) {
    for (const colorScheme of ["light", "dark"] as const) {
      test(`${colorScheme}, ${String(width)} pixels wide`, async () => {
        const context = await browser.newContext({
          locale: "en-GB",
          viewport: { width, height: 800 },
          colorScheme,
          reducedMotion: "reduce",
        });
        const page = await context.newPage();
        const look = async (name: string): Promise<void> => {
          expect(await violations(page), name).toEqual([]);
          const { scroll, client } = await page.evaluate(() => ({
            scroll: document.documentElement.scrollWidth,
            client: document.documentElement.clientWidth,
          }));
          expect(scroll, `${name} is not wider than the screen`).toBeLessThanOrEqual(client);
          await screenshot(page, `${name}-${String(width)}-${colorScheme}`);
        };

        await page.goto(registry.url);
        await page.getByText("registry.example/test", { exact: false }).waitFor();
        await look("1-start");
        await page.getByText(en.protect.weakerTitle).click();
        await page.getByText(en.protect.boundsTitle).click();
        await look("1-start-opened");
        const picker = page.locator("input[type=file]:visible").first();
        await picker.setInputFiles(files.slice(0, 3));
        await page.locator(".photo .hint", { hasText: en.protect.ready }).nth(2).waitFor();
        await look("2-chosen");
        await button(page, en.next).click();
        await look("3-statement");
        await page.getByText(en.protect.choosePerUse).click();
        await page.getByText(en.protect.moreTitle).click();
        await look("3-statement-each");
        await page.getByText(en.protect.refuseAll).click();
        await button(page, en.next).click();
        await page.locator(".words").waitFor();
        await look("4-words");
        await button(page, en.protect.kept).click();
        await button(page, en.next).click();
        await look("4-words-wrong");
        await button(page, en.protect.showAgain).click();
        await takeWords(page);
        await page.getByText(en.protect.sendLead).waitFor();
        await look("5-sending");
        await page.getByRole("heading", { name: en.protect.doneAll }).waitFor();
        await look("6-registered");

        await goTo(page, "records");
        await page.locator(".record").first().waitFor();
        await button(page, en.records.leftOutAsk).click();
        await page.getByText(en.records.leftOutNone).first().waitFor();
        await page.getByText(en.records.exportTitle).first().click();
        await look("7-records");
        await page
          .getByRole("button", { name: new RegExp(`^${en.records.withdraw}:`) })
          .first()
          .click();
        await page.getByRole("dialog").waitFor();
        await look("8-withdraw");
        await button(page, en.records.withdrawYes).click();
        await page.locator(".badge", { hasText: en.records.status.WITHDRAWN }).waitFor();
        await page.getByText(en.records.keepTitle).click();
        await look("9-withdrawn");
        const receipt = (
          await saved(
            page,
            page.getByRole("button", { name: new RegExp(`^${en.records.receipt}`) }).nth(1),
          )
        ).toString();
        await button(page, en.records.close).click();
        await page.getByLabel(en.records.words).waitFor();
        await look("7-records-closed");

        await goTo(page, "verify");
        await look("a-verify");
        await page.getByLabel(en.verify.paste).fill(receipt);
        await button(page, en.verify.check).click();
        await page.getByText("shows no end of this record").waitFor();
        await look("b-verified");
        await page.getByLabel(en.verify.paste).fill(receipt.replace("index ", "index 1"));
        await button(page, en.verify.check).click();
        await page.getByRole("heading", { name: en.verify.bad }).waitFor();
        await look("b-not-verified");

        const papers = ["certificate.json", "shipped.manifest", "evidence"];
        const drop = page.locator("main .drop input[type=file]:visible").first();
        await drop.setInputFiles(papers.map((name) => join(folder, "screened", name)));
        await page.getByRole("heading", { name: en.verify.good }).waitFor();
        await page.getByText(en.verify.data.limitsTitle).click();
        await page.getByText(en.verify.data.details).click();
        await look("b-certificate");
        await drop.setInputFiles([join(folder, "screened", "certificate.json")]);
        await page.getByRole("heading", { name: en.verify.data.partly }).waitFor();
        await look("b-certificate-alone");

        await goTo(page, "log");
        await page.getByText("registry.example/test", { exact: true }).first().waitFor();
        await look("c-log");
        await button(page, en.log.read).click();
        await page.getByRole("heading", { name: en.log.counts }).waitFor();
        await look("d-counted");

        for (const language of ["de", "fr"]) {
          await page.locator("footer select").selectOption(language);
          await page.waitForFunction((code) => document.documentElement.lang === code, language);
          for (const route of ["protect", "records", "verify", "log"]) {
            await page.goto(`${registry.url}/#/${route}`);
            await page.locator("main > div:not([hidden]) h1").waitFor();
            await look(`e-${route}-${language}`);
          }
        }
        await context.close();
      });
    }
  }
});
