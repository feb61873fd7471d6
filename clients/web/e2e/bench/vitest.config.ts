import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";

// What `make bench-web` measures.
export default defineConfig({
  root: fileURLToPath(new URL("../..", import.meta.url)),
  test: { include: ["e2e/bench/*.bench.ts"], environment: "node", testTimeout: 300_000 },
});
