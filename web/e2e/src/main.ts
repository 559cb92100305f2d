/**
 * Runs the tests of a folder: `node src/main.ts [--hostile] [part of a name …]`.
 * @module
 */

import { globSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";

import { run } from "./runner.ts";

const { values, positionals } = parseArgs({
  options: { hostile: { type: "boolean", default: false } },
  allowPositionals: true,
});
const folder = join(import.meta.dirname, "..", values.hostile ? "hostile" : "tests");
for (const file of globSync("*.test.ts", { cwd: folder }).sort()) await import(join(folder, file));
process.exit(await run(positionals));
