/** A page of the tests in a real browser: Chromium, or what `CONSENT_CHROMIUM` names. */

import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import type { IncomingMessage, ServerResponse } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { createServer } from "vite";
import { PROJECT } from "./vectors";

const CHROMIUM = process.env.CONSENT_CHROMIUM ?? "/usr/bin/chromium";

export const hasBrowser = existsSync(CHROMIUM);

/** What a page may fetch, by path; a path that ends in `/` is asked for all below it. */
export type Served = Readonly<Record<string, (path: string) => string | Uint8Array>>;

/** Opens a page of `clients/web` and gives what it posts to `/told`. */
export async function toldBy(page: string, served: Served): Promise<unknown> {
  const profile = mkdtempSync(join(tmpdir(), "browser-"));
  let tell: (told: unknown) => void = () => undefined;
  const told = new Promise<unknown>((resolve) => {
    tell = resolve;
  });
  const server = await createServer({
    root: `${PROJECT}clients/web`,
    configFile: false,
    logLevel: "error",
    cacheDir: join(profile, "vite"),
    server: { host: "127.0.0.1", hmr: false, watch: null },
    plugins: [
      {
        name: "served",
        configureServer: ({ middlewares }) => {
          middlewares.use((request: IncomingMessage, response: ServerResponse, next) => {
            const path = request.url ?? "";
            if (path === "/told") {
              void text(request).then((body) => {
                response.end();
                tell(JSON.parse(body));
              });
              return;
            }
            const found = Object.entries(served).find(([at]) =>
              at.endsWith("/") ? path.startsWith(at) : path === at,
            );
            if (found === undefined) next();
            else response.end(found[1](path.slice(found[0].length)));
          });
        },
      },
    ],
  });
  await server.listen();
  const address = `${server.resolvedUrls?.local[0]}${page}`;
  const flags = [
    "--headless",
    "--no-sandbox", // tests run as root in containers; only our own page is opened
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--no-first-run",
    `--user-data-dir=${profile}`,
  ];
  // A process group of its own, so that its helpers end with it: they write into the profile.
  const browser = spawn(CHROMIUM, [...flags, address], { detached: true });
  const closed = new Promise<void>((resolve) => browser.once("close", () => resolve()));
  const ended = closed.then(() => Promise.reject(new Error("the browser has ended")));
  try {
    return await Promise.race([told, ended]);
  } finally {
    ended.catch(() => undefined);
    if (browser.pid !== undefined && browser.exitCode === null)
      process.kill(-browser.pid, "SIGKILL");
    await closed; // of all that hold its output: the helpers too
    await server.close();
    rmSync(profile, { recursive: true, force: true, maxRetries: 5 });
  }
}
