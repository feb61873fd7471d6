/** The steps of the page, in its own words. */

import type { Page } from "playwright-core";
import { en } from "../src/i18n/en";

const button = (page: Page, name: string) => page.getByRole("button", { name, exact: true });

/** Chooses photographs and goes on to the statement. */
export async function choose(page: Page, files: readonly string[]): Promise<void> {
  await page
    .locator("input[type=file]:visible")
    .first()
    .setInputFiles([...files]);
  await page
    .locator(".photo .hint", { hasText: en.protect.computing })
    .first()
    .waitFor({ state: "detached" });
  await button(page, en.next).click();
}

/** Takes the words that are shown, and confirms two of them; gives all. */
export async function takeWords(page: Page): Promise<string> {
  const words = await page.locator(".words li").allTextContents();
  await button(page, en.protect.kept).click();
  for (const field of await page.locator("form:visible input[type=text]").all()) {
    const label = await page
      .locator(`label[for="${await field.getAttribute("id")}"]`)
      .textContent();
    await field.fill(words[Number(/\d+/.exec(label ?? "")?.[0]) - 1] ?? "");
  }
  await button(page, en.next).click();
  return words.join(" ");
}

/** From the first page to receipts; gives the words. */
export async function register(page: Page, files: readonly string[]): Promise<string> {
  await choose(page, files);
  await button(page, en.next).click();
  const words = await takeWords(page);
  await page.getByRole("heading", { name: en.protect.doneAll }).waitFor();
  return words;
}

export { button };
