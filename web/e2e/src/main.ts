/**
 * Runs the tests of a folder: `node src/main.ts [--hostile | --network] [part of a name …]`.
 * @module
 */

import { globSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";

import { ROUGH } from "./endurance.ts";
import { run } from "./runner.ts";

const { values, positionals } = parseArgs({
  options: {
    hostile: { type: "boolean", default: false },
    network: { type: "boolean", default: false },
  },
  allowPositionals: true,
});
const name = values.hostile ? "hostile" : values.network ? "network" : "tests";
const folder = join(import.meta.dirname, "..", name);
for (const file of globSync("*.test.ts", { cwd: folder }).sort()) await import(join(folder, file));
process.exit(await run(positionals, values.network ? ROUGH : undefined));
