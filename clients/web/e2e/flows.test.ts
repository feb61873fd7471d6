/** What people do with the page that a real registry serves, in a real browser. */

import { createHash } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Browser, BrowserContext, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { en } from "../src/i18n/en";
import { seedOf } from "../src/protocol";
import { hasPython, runPython } from "../tests/support/python";
import { Registry } from "../tests/support/registry";
import { canRun, launch, recorded, type Sent } from "./browser";
import { button, choose, goTo, register, saved, takeWords } from "./page";

const PASSPHRASE = "a long passphrase for tests";

interface Described {
  readonly hash: string;
}

describe.skipIf(!canRun || !hasPython)("the page", () => {
  let folder = "";
  let described: Record<string, Described> = {};
  let files: string[] = [];
  let registry: Registry;
  let browser: Browser;
  let context: BrowserContext;
  let page: Page;
  let sent: Sent[] = [];
  const troubles: string[] = [];

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), "page-"));
    runPython("clients/web/tests/browser/make_pictures.py", [folder]);
    described = JSON.parse(
      readFileSync(join(folder, "pictures.json"), "utf-8"),
    ) as typeof described;
    files = Object.keys(described).map((name) => join(folder, name));
    // What a registry tells after a week is told at once here.
    const settings = { CONSENT_REGISTRY_TOLD_AFTER_DAYS: "0" };
    [registry, browser] = await Promise.all([Registry.start(settings), launch()]);
  });
  afterAll(async () => {
    await browser.close();
    await registry.stop();
    rmSync(folder, { recursive: true, force: true });
  });
  beforeEach(async () => {
    context = await browser.newContext({ locale: "en-GB", viewport: { width: 360, height: 740 } });
    sent = recorded(context);
    page = await context.newPage();
    page.on("pageerror", (error) => troubles.push(String(error)));
    page.on("console", (message) => {
      if (message.type() === "error") troubles.push(message.text());
    });
    await page.goto(registry.url);
  });
  afterEach(async () => {
    await context.close();
    expect(troubles.splice(0)).toEqual([]);
  });

  const file = (at: number): string => files[at] ?? "";
  const fingerprintsOf = (at: number): Record<string, string[]> => ({
    sha256: [
      createHash("sha256")
        .update(readFileSync(file(at)))
        .digest("hex"),
    ],
  });

  test("registers photographs, and says so once their receipts are verified", async () => {
    const words = await register(page, [file(0), file(1)]);
    expect(await page.locator(".photo.registered").count()).toBe(2);
    const receipts = await saved(page, button(page, en.protect.saveReceipts));
    expect(receipts.toString("latin1")).toMatch(/^PK[^]*c2sp\.org\/tlog-proof[^]*tlog-proof/);
    expect(await registry.ask("recover", { phrase: words })).toMatchObject([
      { index: 0, status: "ACTIVE" },
      { index: 1, status: "ACTIVE" },
    ]);
  });

  test("sends no picture, no phrase and no plain fingerprint, and nothing to anybody else", async () => {
    const words = await register(page, [file(2)]);
    await goTo(page, "records");
    await page.locator(".record").waitFor();
    await goTo(page, "log");
    await button(page, en.log.read).click();
    await page.getByRole("heading", { name: en.log.counts }).waitFor();
    const picture = readFileSync(file(2));
    const [name = ""] = [Object.keys(described)[2]];
    const secrets: Record<string, Buffer> = {
      phrase: Buffer.from(words),
      "two words": Buffer.from(words.split(" ").slice(3, 5).join(" ")),
      seed: Buffer.from(seedOf(words)),
      sha256: createHash("sha256").update(picture).digest(),
      pdq: Buffer.from(described[name]?.hash ?? "", "hex"),
      start: picture.subarray(0, 24),
      middle: picture.subarray(picture.length >> 1, (picture.length >> 1) + 24),
      "file name": Buffer.from(name),
    };
    const all = Buffer.concat(sent.map(wire));
    expect(all.includes("sealed")).toBe(true); // what is recorded holds the registration itself
    for (const [what, secret] of Object.entries(secrets)) {
      expect(secret.length, what).toBeGreaterThan(4);
      for (const written of [
        secret,
        ...(["hex", "base64"] as const).map((as) => plain(secret, as)),
      ]) {
        expect(all.includes(written), what).toBe(false);
      }
    }
    for (const { url, headers } of sent) {
      if (!url.startsWith("blob:")) expect(new URL(url).origin).toBe(new URL(registry.url).origin);
      expect(headers["cookie"]).toBeUndefined();
    }
    expect(await context.cookies()).toEqual([]);
  });

  test("what a builder leaves out is shown, until the record is withdrawn and it is kept", async () => {
    const words = await register(page, [file(3)]);
    await goTo(page, "records");
    await button(page, en.records.leftOutAsk).click();
    await page.getByText(en.records.leftOutNone).waitFor();
    expect(await registry.ask("screen", { fingerprints: fingerprintsOf(3) })).toBe("EXCLUDE");
    await button(page, en.records.leftOutAsk).click();
    await page
      .getByText(
        `One picture left out of “test” by A builder, for: ${en.protect.uses.ai_training}.`,
      )
      .waitFor();

    await button(page, `${en.records.withdraw}: ${files[3]?.split("/").at(-1) ?? ""}`).click();
    await page
      .getByRole("dialog")
      .getByText(en.records.withdrawText[0] ?? "")
      .waitFor();
    await button(page, en.records.withdrawNo).click();
    expect(await registry.ask("screen", { fingerprints: fingerprintsOf(3) })).toBe("EXCLUDE");
    await page.getByRole("button", { name: new RegExp(`^${en.records.withdraw}:`) }).click();
    await button(page, en.records.withdrawYes).click();
    await page.locator(".badge", { hasText: en.records.status.WITHDRAWN }).waitFor();
    await expect
      .poll(() => registry.ask("screen", { fingerprints: fingerprintsOf(3) }), { timeout: 10_000 })
      .toBe("CLEAR");
    expect(await registry.ask("recover", { phrase: words })).toMatchObject([
      { status: "WITHDRAWN" },
    ]);
    expect(await page.getByText("left out of “test”").count()).toBe(0);
  });

  test("a statement is saved in the words of other formats", async () => {
    await register(page, [file(16)]);
    await goTo(page, "records");
    await page.getByText(en.records.exportTitle).click();
    const assertion = await saved(page, page.getByRole("button", { name: /C2PA/ }));
    expect(JSON.parse(assertion.toString())).toMatchObject({
      data: { entries: { "cawg.ai_training": { use: "notAllowed" } } },
    });
    const header = await saved(page, page.getByRole("button", { name: /AIPREF/ }));
    expect(header.toString()).toBe("Content-Usage: train-ai=n\n");
  });

  test("finds records by their words on another device, and what others did with them", async () => {
    const words = await register(page, [file(4)]);
    await registry.ask("withdraw", { phrase: words, index: 0 });
    const other = await browser.newContext({ locale: "en-GB" });
    const there = await other.newPage();
    await there.goto(`${registry.url}/#/records`);
    await there.getByLabel(en.records.words).fill("not these words");
    await button(there, en.records.open).click();
    await there.getByText(en.errors.BAD_PHRASE).waitFor();
    await there.getByLabel(en.records.words).fill(`  ${words.toUpperCase()} `);
    await button(there, en.records.open).click();
    await there.locator(".badge", { hasText: en.records.status.WITHDRAWN }).waitFor();
    await button(there, en.records.close).click();
    await there.getByLabel(en.records.words).waitFor();
    await other.close();
  });

  test("new photographs join the words that a person has already", async () => {
    const words = await register(page, [file(5)]);
    await page.reload();
    await choose(page, [file(6)]);
    await button(page, en.next).click();
    await page.getByRole("button", { name: en.protect.haveWords }).click();
    await page.locator("textarea:visible").fill(words);
    await button(page, en.protect.useWords).click();
    await page.getByRole("heading", { name: en.protect.doneAll }).waitFor();
    expect(await registry.ask("recover", { phrase: words })).toHaveLength(2);
  });

  test("keeps nothing unless asked, and then nothing in plain", async () => {
    const words = await register(page, [file(7)]);
    expect(await keptIn(page)).toBe("");
    await goTo(page, "records");
    await page.locator(".record").waitFor();
    await page.getByText(en.records.keepTitle).click();
    for (const field of await page.locator("input[type=password]").all()) {
      await field.fill(PASSPHRASE);
    }
    await button(page, en.records.keep).click();
    await page.getByText(en.records.isKept).waitFor();
    const kept = await keptIn(page);
    expect(kept).toContain("consent-web/vault/v1");
    for (const plainly of [words, words.split(" ")[0] ?? "", "registry.example", "record"]) {
      expect(kept).not.toContain(plainly);
    }
    await page.reload();
    await page.getByLabel(en.records.passphrase).fill("another passphrase");
    await button(page, en.records.unlock).click();
    await page.getByText(en.errors.WRONG_PASSPHRASE).waitFor();
    await page.getByLabel(en.records.passphrase).fill(PASSPHRASE);
    await button(page, en.records.unlock).click();
    await page.getByRole("heading", { name: files[7]?.split("/").at(-1) ?? "" }).waitFor();
    await button(page, en.records.forget).click();
    await page.getByText(en.records.forgotten).waitFor();
    expect(await keptIn(page)).toBe("");
  });

  test("checks receipts: a right one, a changed one, and one whose record has ended", async () => {
    const words = await register(page, [file(8)]);
    const receipt = (await saved(page, button(page, en.protect.saveReceipt))).toString();
    await goTo(page, "verify");
    const paste = async (text: string): Promise<void> => {
      await page.getByLabel(en.verify.paste).fill(text);
      await button(page, en.verify.check).click();
    };
    await paste(receipt);
    await page.getByRole("heading", { name: en.verify.good }).waitFor();
    await page.getByText("the public log shows no end of this record").waitFor();
    await page.locator(".outcome input[type=file]").setInputFiles(file(8));
    await page.getByText(en.verify.isPicture).waitFor();
    await page.locator(".outcome input[type=file]").setInputFiles(file(9));
    await page.getByText(en.verify.notPicture).waitFor();

    const [title = "", extra = "", ...rest] = receipt.split("\n");
    const changed = `${extra.slice(0, 20)}${extra[20] === "A" ? "B" : "A"}${extra.slice(21)}`;
    await paste([title, changed, ...rest].join("\n"));
    await page.getByRole("heading", { name: en.verify.bad }).waitFor();
    await paste("anything else");
    await page.getByRole("heading", { name: en.verify.unknown }).waitFor();

    await registry.ask("withdraw", { phrase: words, index: 0 });
    const name = join(folder, "receipt.txt");
    writeFileSync(name, receipt.replaceAll("\n", "\r\n"));
    await page.locator(".drop input[type=file]:visible").setInputFiles(name);
    await page.getByText("Since then the record has ended: Withdrawn by you").waitFor();
  });

  test("checks a data set's certificate, its list and its evidence, and finds a picture", async () => {
    await register(page, [file(15)]);
    const shipped = await registry.ask("certify", { folder, fingerprinted: file(15) });
    expect(shipped).toBe(1_000); // all but the one that is protected
    await goTo(page, "records");
    await button(page, en.records.leftOutAsk).click();
    await page.getByText(/One picture left out of “my set” by A builder.* entry \d+ of/).waitFor();
    const papers = (...names: string[]): string[] =>
      names.map((name) => join(folder, "screened", name));
    const data = en.verify.data;
    await goTo(page, "verify");
    const drop = (files: string[]): Promise<void> =>
      page.locator("main .drop input[type=file]:visible").first().setInputFiles(files);

    await drop(papers("certificate.json", "shipped.manifest", "evidence", "certify.proof"));
    await page.getByRole("heading", { name: en.verify.good }).waitFor();
    await page.getByText("it recognised no opt-out in 1,000 of them").waitFor();
    const yours = page.locator(".card", { hasText: data.yours }).locator("input[type=file]");
    await yours.setInputFiles(file(15));
    await page.getByText(data.notThere).waitFor();
    await yours.setInputFiles(join(folder, "pictures", "0003.png"));
    await page.getByText(data.isThere).waitFor();

    await drop(papers("certificate.json"));
    await page.getByRole("heading", { name: data.partly }).waitFor();
    await page.getByText(data.open.noManifest).first().waitFor();
    const more = page.locator(".outcome input[type=file]");
    await more.setInputFiles(papers("shipped.manifest"));
    await page.getByText(data.open.noEvidence).waitFor();
    await more.setInputFiles(papers("evidence"));
    await page.getByRole("heading", { name: en.verify.good }).waitFor();

    const [paper = ""] = papers("evidence");
    const changed = readFileSync(paper);
    changed[200] = (changed[200] ?? 0) ^ 1;
    writeFileSync(join(folder, "changed"), changed);
    await drop(papers("certificate.json", "shipped.manifest").concat(join(folder, "changed")));
    await page.getByRole("heading", { name: en.verify.bad }).waitFor();
    await page.locator("li.wrong").waitFor();

    await page
      .getByLabel(en.verify.paste)
      .fill(readFileSync(papers("certificate.json")[0] ?? "", "utf-8"));
    await button(page, en.verify.check).click();
    await page.getByRole("heading", { name: data.partly }).waitFor();
    await drop(papers("shipped.manifest"));
    await page.getByText(data.open.noEvidence).waitFor(); // it joins the certificate that is there
  });

  test("a withdrawal that was kept withdraws without the words", async () => {
    await register(page, [file(10)]);
    await goTo(page, "records");
    const slip = await saved(
      page,
      page.getByRole("button", { name: new RegExp(`^${en.records.slip}`) }),
    );
    await page.reload();
    await goTo(page, "verify");
    await page.getByLabel(en.verify.paste).fill(slip.toString());
    await button(page, en.verify.check).click();
    expect(await registry.ask("screen", { fingerprints: fingerprintsOf(10) })).toBe("EXCLUDE");
    await button(page, en.verify.sendWithdrawal).click();
    await page.getByText("The registry answered: Withdrawn by you.").waitFor();
  });

  test("the log is counted, and its root is the one that was signed", async () => {
    await goTo(page, "log");
    await button(page, en.log.read).click();
    await page.getByText("have exactly the root that the registry signed").waitFor();
    await page.getByText(en.log.withdrawalsChecked).waitFor();
  });

  test("what is no picture is told, and the others go on", async () => {
    const broken = join(folder, "broken.jpg");
    writeFileSync(broken, "no picture");
    await choose(page, [broken, file(11)]);
    await page.getByText("1 photograph", { exact: false }).waitFor();
    await button(page, en.back).click();
    await page.getByText("it is no picture that this browser can read", { exact: false }).waitFor();
  });

  test("offline it opens, fingerprints and checks; sending says why it does not", async () => {
    await page.waitForFunction(() => navigator.serviceWorker.ready);
    await page.waitForFunction(async () => (await caches.keys()).length > 0);
    await context.setOffline(true);
    await page.reload();
    await page.getByText(en.offline).waitFor();
    await choose(page, [file(12)]);
    await button(page, en.next).click();
    await takeWords(page);
    await page.getByRole("heading", { name: en.protect.doneNone }).waitFor();
    await page.getByText("the registry cannot be reached", { exact: false }).waitFor();
    await context.setOffline(false);
    await button(page, en.protect.tryAgain).click();
    await page.getByRole("heading", { name: en.protect.doneAll }).waitFor();
    troubles.length = 0; // that requests failed
  });

  test("by keyboard alone, from the first page to a verified receipt", async () => {
    const press = async (...keys: string[]): Promise<void> => {
      for (const key of keys) await page.keyboard.press(key);
    };
    const began = performance.now();
    const choosing = page.waitForEvent("filechooser"); // early: it has to reach the browser first
    await tabTo(page, page.locator("input[type=file]:visible"));
    await press("Enter");
    const chooser = await choosing;
    await chooser.setFiles([file(13)]);
    await page.getByText(en.protect.ready).waitFor();
    await tabTo(page, button(page, en.next));
    await press("Enter");
    await tabTo(page, button(page, en.next));
    await press("Enter");
    const words = await page.locator(".words li").allTextContents();
    await tabTo(page, button(page, en.protect.kept));
    await press("Enter");
    await page.getByRole("heading", { name: en.protect.confirmTitle }).waitFor();
    for (const field of await page.locator("form:visible input[type=text]").all()) {
      await tabTo(page, field);
      const id = (await field.getAttribute("id")) ?? "";
      const label = (await page.locator(`label[for="${id}"]`).textContent()) ?? "";
      await page.keyboard.type(words[Number(/\d+/.exec(label)?.[0]) - 1] ?? "");
    }
    await press("Enter");
    await page.getByRole("heading", { name: en.protect.doneAll }).waitFor();
    expect(performance.now() - began).toBeLessThan(60_000); // issue 5, "Done when"
    await tabTo(page, button(page, en.protect.saveReceipt));
    await press("Shift+Tab");
  });

  test.each([
    ["a proof of another place", (proof: string) => proof.replace(/index (\d+)/, "index 1$1")],
    [
      "a checkpoint that it did not sign",
      (proof: string) => proof.replace(/.{12}\n$/, "AAAAAAAAAAA=\n"),
    ],
    ["no proof", () => ""],
  ])("does not say that anybody is registered on %s", async (_, damage) => {
    await page.route("**/graphql", async (route) => {
      const response = await route.fetch();
      const body = (await response.json()) as { data?: { register?: { proof?: string } } };
      const registration = body.data?.register;
      if (registration?.proof !== undefined) registration.proof = damage(registration.proof);
      await route.fulfill({ response, json: body });
    });
    await choose(page, [file(14)]);
    await button(page, en.next).click();
    await takeWords(page);
    await page.getByRole("heading", { name: en.protect.doneNone }).waitFor();
    await page.getByText("the registry's answer contradicts", { exact: false }).waitFor();
    expect(await page.getByText(en.protect.doneAll).count()).toBe(0);
  });

  test("two words that are wrong do not pass", async () => {
    await choose(page, [file(14)]);
    await button(page, en.next).click();
    await button(page, en.protect.kept).click();
    await page.getByRole("heading", { name: en.protect.confirmTitle }).waitFor();
    for (const field of await page.locator("form:visible input[type=text]").all()) {
      await field.fill("wrong");
    }
    await button(page, en.next).click();
    expect(await page.locator(".wrong:visible").count()).toBe(2);
    await button(page, en.protect.showAgain).click();
    await takeWords(page);
    await page.getByRole("heading", { name: en.protect.doneAll }).waitFor();
  });
});

const wire = ({ url, body, headers }: Sent): Buffer =>
  Buffer.concat([Buffer.from(`${url}\n${JSON.stringify(headers)}\n`), body, Buffer.from("\n")]);

/** Bytes as text, without the end that depends on what follows them. */
const plain = (secret: Buffer, as: "hex" | "base64"): Buffer =>
  Buffer.from(secret.toString(as).replace(/.?=*$/, ""));

/** Goes on with the Tab key until something has the focus. */
async function tabTo(page: Page, wanted: ReturnType<Page["locator"]>): Promise<void> {
  for (let pressed = 0; pressed < 40; pressed++) {
    if (await wanted.evaluate((element) => element === document.activeElement)) return;
    await page.keyboard.press("Tab");
  }
  throw new Error("the Tab key does not come there");
}

/** All that a page keeps in the browser, as text. */
async function keptIn(page: Page): Promise<string> {
  return page.evaluate(async () => {
    const found = [Object.keys(localStorage).concat(Object.keys(sessionStorage)).join("")];
    for (const { name } of await indexedDB.databases()) {
      const opening = indexedDB.open(name ?? "");
      await new Promise((done) => (opening.onsuccess = done));
      for (const table of opening.result.objectStoreNames) {
        const store = opening.result.transaction(table).objectStore(table);
        const asked = store.getAll();
        await new Promise((done) => (asked.onsuccess = done));
        found.push(JSON.stringify(asked.result));
      }
      opening.result.close();
    }
    return found.join("");
  });
}
