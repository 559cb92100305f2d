import { defineConfig } from "vitest/config";

// Its plug-ins look for it where the command was given, which is here.
process.env["LINGUI_CONFIG"] ??= new URL("app/lingui.config.ts", import.meta.url).pathname;

/** Unit tests of every package; browser tests are in `e2e`. */
export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: "packages",
          environment: "happy-dom",
          include: ["packages/*/src/**/*.test.ts", "packages/*/src/**/*.test.tsx"],
        },
      },
      {
        extends: "./app/vite.config.ts",
        root: "./app",
        test: {
          name: "app",
          environment: "happy-dom",
          include: ["src/**/*.test.ts", "src/**/*.test.tsx"],
        },
      },
    ],
  },
});
