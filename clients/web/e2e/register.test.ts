/** A person registers photographs with the page that a real registry serves. */

import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { en } from "../src/i18n/en";
import { hasPython, runPython } from "../tests/support/python";
import { Registry } from "../tests/support/registry";
import { canRun, launch } from "./browser";
import { button, register } from "./page";

describe.skipIf(!canRun || !hasPython)("the page", () => {
  let folder = "";
  let registry: Registry;
  let browser: Browser;

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), "page-"));
    runPython("clients/web/tests/browser/make_pictures.py", [folder]);
    [registry, browser] = await Promise.all([Registry.start(), launch()]);
  });
  afterAll(async () => {
    await browser?.close();
    await registry?.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  test("registers a photograph, and Python reads its receipt and finds the record", async () => {
    const names = Object.keys(JSON.parse(readFileSync(join(folder, "pictures.json"), "utf-8")));
    const page = await browser.newPage();
    page.on("pageerror", (error) => console.error(error));
    page.on("console", (message) => console.log(message.type(), message.text()));
    await page.goto(registry.url);
    const words = await register(page, [join(folder, names[0] ?? "")]);
    const [download] = await Promise.all([
      page.waitForEvent("download"),
      button(page, en.protect.saveReceipt).click(),
    ]);
    const receipt = readFileSync((await download.path()) ?? "", "utf-8");
    expect(receipt).toContain("c2sp.org/tlog-proof");
    expect(await registry.ask("recover", { phrase: words })).toMatchObject([
      { index: 0, status: "ACTIVE" },
    ]);
    await page.context().close();
  });
});
