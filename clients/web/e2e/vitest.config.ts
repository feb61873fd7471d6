import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";

// The built page, served by a real registry, in a real browser.
export default defineConfig({
  root: fileURLToPath(new URL("..", import.meta.url)),
  test: {
    include: ["e2e/**/*.test.ts"],
    environment: "node",
    fileParallelism: false,
    testTimeout: 120_000,
    hookTimeout: 120_000,
  },
});
