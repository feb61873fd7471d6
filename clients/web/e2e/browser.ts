/** Chromium, and the page in it as a person with a keyboard or a mouse uses it. */

import { existsSync, mkdirSync, readdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import {
  type Browser,
  type BrowserContext,
  chromium,
  type Page,
  type Request,
} from "playwright-core";

const CHROMIUM = process.env["CONSENT_CHROMIUM"] ?? "/usr/bin/chromium";
const BUILT = fileURLToPath(new URL("../../../registry/web_assets/index.html", import.meta.url));

export const canRun = existsSync(CHROMIUM) && existsSync(BUILT);

/** Where a machine has no network, Chromium's own errands only cost time. */
const FLAGS = [
  "--no-sandbox", // tests run as root in containers; only our own page is opened
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  "--disable-dev-shm-usage",
];

export const launch = (): Promise<Browser> =>
  chromium.launch({ executablePath: CHROMIUM, headless: true, args: FLAGS });

/** Everything a page sent: address and body. */
export interface Sent {
  readonly url: string;
  readonly method: string;
  readonly body: Buffer;
  readonly headers: Readonly<Record<string, string>>;
}

/** Records all requests of a context, those of workers too. */
export function recorded(context: BrowserContext): Sent[] {
  const sent: Sent[] = [];
  context.on("request", (request: Request) => {
    sent.push({
      url: request.url(),
      method: request.method(),
      body: request.postDataBuffer() ?? Buffer.alloc(0),
      headers: request.headers(),
    });
  });
  return sent;
}

const SCREENSHOTS = fileURLToPath(new URL("screenshots", import.meta.url));

export async function screenshot(page: Page, name: string): Promise<void> {
  mkdirSync(SCREENSHOTS, { recursive: true });
  await page.screenshot({ path: `${SCREENSHOTS}/${name}.png`, fullPage: true });
}

const SHARED = fileURLToPath(new URL("../../../../shared/data/photos", import.meta.url));

/** Photographs from beside the project; none where they are missing. */
export function sharedPhotographs(count: number): string[] {
  if (!existsSync(SHARED)) return [];
  return readdirSync(SHARED)
    .filter((name) => name.endsWith(".jpg"))
    .sort()
    .slice(0, count)
    .map((name) => `${SHARED}/${name}`);
}
