import { defineConfig } from "vitest/config";

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
        test: {
          name: "app",
          environment: "happy-dom",
          include: ["app/src/**/*.test.ts", "app/src/**/*.test.tsx"],
        },
      },
    ],
  },
});
