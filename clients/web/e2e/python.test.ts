/**
 * For the tests in Python (tests/web): registers one photograph at the registry that they serve, and
 * writes down the words and the receipt. Run with CONSENT_PAGE, CONSENT_PICTURE and CONSENT_TOLD.
 */

import { writeFileSync } from "node:fs";
import { expect, test } from "vitest";
import { en } from "../src/i18n/en";
import { launch } from "./browser";
import { button, register, saved } from "./page";

const { CONSENT_PAGE: address, CONSENT_PICTURE: picture, CONSENT_TOLD: told } = process.env;

test.skipIf(!address || !picture || !told)("registers for Python", async () => {
  const browser = await launch();
  try {
    const page = await browser.newPage({ locale: "en-GB" });
    await page.goto(address ?? "");
    const words = await register(page, [picture ?? ""]);
    const receipt = await saved(page, button(page, en.protect.saveReceipt));
    expect(receipt.length).toBeGreaterThan(0);
    writeFileSync(told ?? "", JSON.stringify({ words, receipt: receipt.toString() }));
  } finally {
    await browser.close();
  }
});
