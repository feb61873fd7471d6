import { defineConfig } from "vite";

// The protocol core alone, with all it needs: how many bytes a page pays for it.
export default defineConfig({
  build: {
    outDir: "dist/protocol",
    modulePreload: false,
    rollupOptions: {
      input: "src/protocol/index.ts",
      preserveEntrySignatures: "strict",
      output: { entryFileNames: "protocol.js", chunkFileNames: "[name].js" },
    },
  },
});
