import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { defineConfig, type Plugin } from "vite";

/** Writes the service worker, with the names of all that the page is made of. */
function offline(): Plugin {
  return {
    name: "offline",
    apply: "build",
    async generateBundle(_, bundle) {
      const files = Object.keys(bundle).filter((name) => name !== "sw.js");
      const worker = bundle["sw.js"];
      if (worker?.type !== "chunk") throw new Error("the service worker was not built");
      const version = createHash("sha256").update(files.sort().join("\n")).digest("hex");
      const names = JSON.stringify([
        "/",
        "/icon.svg",
        ...files.filter(isAsset).map((f) => `/${f}`),
      ]);
      worker.code = worker.code
        .replace(/["'`]__FILES__["'`]/g, names)
        .replace("__VERSION__", version.slice(0, 16));
    },
  };
}

/** Writes the licences of all packages that are built in: they ask to be handed on with the code. */
function licences(): Plugin {
  return {
    name: "licences",
    apply: "build",
    generateBundle() {
      const { packages } = JSON.parse(readFileSync("package-lock.json", "utf-8")) as {
        packages: Readonly<Record<string, { dev?: boolean; version: string }>>;
      };
      const texts = Object.entries(packages)
        .filter(([path, { dev }]) => path !== "" && dev !== true)
        .map(([path, { version }]) => {
          const name = readdirSync(path).find((file) => /^licen[cs]e/i.test(file));
          if (name === undefined) throw new Error(`${path} comes without its licence`);
          const title = `${path.replace("node_modules/", "")} ${version}`;
          return `${title}\n\n${readFileSync(`${path}/${name}`, "utf-8").trim()}\n`;
        });
      this.emitFile({
        type: "asset",
        fileName: "licences.txt",
        source: texts.join(`\n${"-".repeat(80)}\n`),
      });
    },
  };
}

const isAsset = (name: string): boolean => name.startsWith("assets/");

// What the registry serves at `/`. Everything is a file of its own: nothing is inlined, so that the
// policy of the page allows no inline script or style.
export default defineConfig({
  plugins: [offline(), licences()],
  worker: { format: "es" },
  server: {
    // `npm run dev` beside a registry on its usual port.
    proxy: { "/graphql": "http://127.0.0.1:8400", "/log": "http://127.0.0.1:8400" },
  },
  build: {
    outDir: "../../registry/web_assets",
    emptyOutDir: true,
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    target: "es2022",
    rollupOptions: {
      input: { index: "index.html", sw: "src/workers/offline.ts" },
      output: {
        entryFileNames: ({ name }) => (name === "sw" ? "sw.js" : "assets/[name]-[hash].js"),
      },
    },
  },
});
