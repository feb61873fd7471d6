/** What a person keeps in the browser opens with the passphrase, and with nothing else. */

import { describe, expect, test } from "vitest";
import { type Place, Vault, WrongPassphrase } from "../../src/app/vault";
import { encodeBase64 } from "../../src/protocol";

class TestPlace implements Place {
  text: string | null = null;

  async read(): Promise<string | null> {
    return this.text;
  }

  async write(text: string): Promise<void> {
    this.text = text;
  }

  async remove(): Promise<void> {
    this.text = null;
  }
}

const PASSPHRASE = "correct horse battery";
const PHRASE = "legal winner thank year wave sausage worth useful legal winner thank yellow";

async function kept(): Promise<{ place: TestPlace; vault: Vault }> {
  const place = new TestPlace();
  const vault = new Vault(place);
  await vault.set("phrase", PHRASE);
  await vault.keep(PASSPHRASE);
  return { place, vault };
}

describe("a vault", () => {
  test("keeps nothing before it is asked to", async () => {
    const place = new TestPlace();
    const vault = new Vault(place);
    await vault.set("phrase", PHRASE);
    await vault.exclusively(async () => vault.set("record a 1", "one"));
    expect(place.text).toBeNull();
    expect(await vault.isThere()).toBe(false);
    expect(await vault.keys("record ")).toEqual(["record a 1"]);
  });

  test("gives everything back to who knows the passphrase", async () => {
    const { place, vault } = await kept();
    await vault.set("record a 1", "one");
    const later = new Vault(place);
    await later.unlock(PASSPHRASE);
    expect(await later.get("phrase")).toBe(PHRASE);
    expect(await later.get("record a 1")).toBe("one");
    expect(later.isKept).toBe(true);
  });

  test("shows nothing of what it keeps, and never the same bytes twice", async () => {
    const { place, vault } = await kept();
    const first = place.text ?? "";
    await vault.set("phrase", PHRASE);
    expect(place.text).not.toBe(first);
    for (const text of [PHRASE, "winner", "phrase", encodeBase64(new TextEncoder().encode(PHRASE))])
      expect(first).not.toContain(text);
  });

  test("does not open for another passphrase, and is not changed by the attempt", async () => {
    const { place } = await kept();
    const before = place.text;
    const later = new Vault(place);
    await expect(later.unlock(`${PASSPHRASE} `)).rejects.toThrow(WrongPassphrase);
    expect(await later.get("phrase")).toBeNull();
    expect(later.isKept).toBe(false);
    expect(place.text).toBe(before);
  });

  test.each([
    ["cut short", (text: string) => text.slice(0, -8)],
    ["of another kind", (text: string) => text.replace("vault/v1", "vault/v2")],
    ["with another salt", (text: string) => text.replace(/"salt":"./, '"salt":"/')],
    ["no JSON", () => "{"],
    ["without anything", () => "{}"],
  ])("says of what is %s that it does not open", async (_, damage) => {
    const { place } = await kept();
    place.text = damage(place.text ?? "");
    await expect(new Vault(place).unlock(PASSPHRASE)).rejects.toThrow(WrongPassphrase);
  });

  test("reads what another page has written meanwhile", async () => {
    const { place, vault } = await kept();
    const other = new Vault(place);
    await other.unlock(PASSPHRASE);
    await other.set("record a 2", "two");
    expect(await vault.exclusively(async () => vault.get("record a 2"))).toBe("two");
  });

  test("forgets in the browser, and then on the page", async () => {
    const { place, vault } = await kept();
    await vault.removeKept();
    expect(place.text).toBeNull();
    expect(await vault.get("phrase")).toBe(PHRASE);
    await vault.set("record a 1", "one");
    expect(place.text).toBeNull();
    vault.close();
    expect(await vault.get("phrase")).toBeNull();
  });

  test("does one thing after the other", async () => {
    const vault = new Vault(new TestPlace());
    const seen: string[] = [];
    const work = (name: string) => async () => {
      seen.push(name);
      await Promise.resolve();
      seen.push(name);
    };
    const failing = vault.exclusively(() => Promise.reject(new Error("no")));
    await Promise.all([
      vault.exclusively(work("a")),
      vault.exclusively(work("b")),
      expect(failing).rejects.toThrow("no"),
    ]);
    expect(seen).toEqual(["a", "a", "b", "b"]);
  });
});
