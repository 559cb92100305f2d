import { lingui } from "@lingui/vite-plugin";
import babel from "@rolldown/plugin-babel";
import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";

const SERVER = "https://localhost:8443";

/**
 * `vite` serves the app before a running `conclave serve`; `vite --mode demo` serves `demo.html`,
 * where every view stands with made-up people and needs no server. The demo is never built into
 * the shipped bundle.
 */
export default defineConfig(({ mode }) => ({
  plugins: [react(), babel({ plugins: ["@lingui/babel-plugin-lingui-macro"] }), lingui()],
  css: { modules: { localsConvention: "camelCaseOnly" as const } },
  server: {
    proxy: { "/api": { target: SERVER, secure: false, ws: true, changeOrigin: true } },
  },
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
