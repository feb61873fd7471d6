/** The steps of the page, in its own words. */

import { readFileSync } from "node:fs";
import type { Locator, Page } from "playwright-core";
import type { Route } from "../src/app/routes";
import { en } from "../src/i18n/en";

/** A button that can be seen. */
export const button = (page: Page, name: string): Locator =>
  page.getByRole("button", { name, exact: true });

export async function goTo(page: Page, route: Route): Promise<void> {
  await page.getByRole("link", { name: en.nav[route], exact: true }).click();
  await page.getByRole("heading", { level: 1, name: en[route].title }).waitFor(); // it is fetched
}

/** Chooses photographs and goes on to the statement. */
export async function choose(page: Page, files: readonly string[]): Promise<void> {
  await page
    .locator("input[type=file]:visible")
    .first()
    .setInputFiles([...files]);
  const computing = page.locator(".photo .hint", { hasText: en.protect.computing });
  await page
    .locator(".photo")
    .nth(files.length - 1)
    .waitFor();
  while ((await computing.count()) > 0) await computing.first().waitFor({ state: "detached" });
  await button(page, en.next).click();
}

/** Takes the words that are shown, and confirms two of them; gives all. */
export async function takeWords(page: Page): Promise<string> {
  const words = await page.locator(".words li").allTextContents();
  await button(page, en.protect.kept).click();
  await page.getByRole("heading", { name: en.protect.confirmTitle }).waitFor();
  for (const field of await page.locator("form:visible input[type=text]").all()) {
    const id = (await field.getAttribute("id")) ?? "";
    const label = (await page.locator(`label[for="${id}"]`).textContent()) ?? "";
    await field.fill(words[Number(/\d+/.exec(label)?.[0]) - 1] ?? "");
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

/** What a button saves. */
export async function saved(page: Page, by: Locator): Promise<Buffer> {
  const [download] = await Promise.all([page.waitForEvent("download"), by.click()]);
  return readFileSync(await download.path());
}
