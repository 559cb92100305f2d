/**
 * Runs the tests: `node src/main.ts [part of a name …]`.
 * @module
 */

import { globSync } from "node:fs";
import { join } from "node:path";

import { run } from "./runner.ts";

const folder = join(import.meta.dirname, "../tests");
for (const file of globSync("*.test.ts", { cwd: folder }).sort()) await import(join(folder, file));
process.exit(await run(process.argv.slice(2)));
