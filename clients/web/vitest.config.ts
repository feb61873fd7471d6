import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["tests/**/*.test.ts"],
    environment: "node",
    testTimeout: 30_000, // of a machine that does other things too
    // Two cores are shared with other work on this machine.
    maxWorkers: 2,
    hookTimeout: 60_000, // a registry is started and stopped
  },
});
