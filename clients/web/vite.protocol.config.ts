import { defineConfig } from "vite";

// The protocol core alone, with all it needs: how many bytes a page pays for it.
export default defineConfig({
  build: {
    outDir: "dist/protocol",
    lib: { entry: "src/protocol/index.ts", formats: ["es"], fileName: "protocol" },
    minify: true,
  },
});
