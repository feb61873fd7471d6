import { defineConfig } from "vite";

// The protocol core alone, with all it needs: how many bytes a page pays for it.
export default defineConfig({
  build: {
    outDir: "dist/protocol",
    lib: { entry: "src/protocol/index.ts", formats: ["es"], fileName: "protocol" },
    // Vite leaves white space in libraries, for who bundles them again; nobody does here.
    rolldownOptions: { output: { minify: true } },
  },
});
