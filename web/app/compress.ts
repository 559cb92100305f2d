import { readdir, readFile, stat, writeFile } from "node:fs/promises";
import { extname, join } from "node:path";
import { promisify } from "node:util";
import { brotliCompress, constants, gzip } from "node:zlib";
import type { Plugin } from "vite";

const TEXT_OR_CODE = new Set([".css", ".html", ".js", ".svg", ".wasm", ".webmanifest"]);

/** Below this, what compression saves does not show on any line. */
const LEAST_BYTES = 1024;

const compressors = {
  ".br": (bytes: Buffer) =>
    promisify(brotliCompress)(bytes, {
      params: {
        [constants.BROTLI_PARAM_QUALITY]: constants.BROTLI_MAX_QUALITY,
        [constants.BROTLI_PARAM_SIZE_HINT]: bytes.length,
      },
    }),
  ".gz": (bytes: Buffer) => promisify(gzip)(bytes, { level: constants.Z_BEST_COMPRESSION }),
};

/**
 * Lays a compressed form, `.br` and `.gz`, beside each file of the build that gets smaller by it.
 * The server sends the one that a browser takes: it compresses nothing itself.
 */
export function compress(): Plugin {
  let folder = "";
  return {
    name: "conclave-compress",
    apply: "build",
    configResolved(config) {
      folder = join(config.root, config.build.outDir);
    },
    async writeBundle() {
      const names = await readdir(folder, { recursive: true });
      await Promise.all(names.map((name) => compressFile(join(folder, name))));
    },
  };
}

async function compressFile(path: string): Promise<void> {
  if (!TEXT_OR_CODE.has(extname(path)) || (await stat(path)).size < LEAST_BYTES) return;
  const bytes = await readFile(path);
  for (const [suffix, compressor] of Object.entries(compressors)) {
    const compressed = await compressor(bytes);
    if (compressed.length < bytes.length) await writeFile(path + suffix, compressed);
  }
}
