import { gzipSync } from "node:zlib";
import { lingui } from "@lingui/vite-plugin";
import babel from "@rolldown/plugin-babel";
import react from "@vitejs/plugin-react";
import { defineConfig, type Plugin } from "vite";
import { compress } from "./compress.ts";

const SERVER = "https://localhost:8443";

/** What all scripts of the app may weigh, compressed: a guest's first visit on a slow line. */
const MOST_SCRIPT_BYTES = 350_000;

/** Fails a build whose scripts outgrow the budget. */
function budget(): Plugin {
  return {
    name: "conclave-budget",
    apply: "build",
    generateBundle(_options, bundle) {
      let bytes = 0;
      for (const output of Object.values(bundle)) {
        if (output.type === "chunk") bytes += gzipSync(output.code).length;
      }
      if (bytes > MOST_SCRIPT_BYTES) {
        this.error(`the scripts weigh ${bytes} bytes compressed, more than ${MOST_SCRIPT_BYTES}`);
      }
    },
  };
}

/**
 * `vite` serves the app before a running `conclave serve`; `vite --mode demo` serves `demo.html`,
 * where every view stands with made-up people and needs no server. The demo is never built into
 * the shipped bundle.
 */
export default defineConfig(({ mode }) => ({
  plugins: [
    react(),
    babel({ plugins: ["@lingui/babel-plugin-lingui-macro"] }),
    lingui(),
    budget(),
    compress(),
  ],
  css: { modules: { localsConvention: "camelCaseOnly" as const } },
  server: {
    proxy: { "/api": { target: SERVER, secure: false, ws: true, changeOrigin: true } },
  },
  // The key worker loads its module beside it, as files of this origin.
  worker: { format: "es" as const },
  build: {
    outDir: mode === "demo" ? "dist-demo" : "dist",
    // `light-dark()` and nesting stay as written.
    cssTarget: ["chrome125", "firefox128", "safari17.5"],
    target: ["chrome125", "firefox128", "safari17.5"],
    // The policy of the server allows no inline scripts and no data: scripts.
    modulePreload: { polyfill: false },
    assetsInlineLimit: 0,
    ...(mode === "demo" ? { rolldownOptions: { input: "demo.html" } } : {}),
  },
}));
