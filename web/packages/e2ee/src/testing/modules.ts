import { readFile } from "node:fs/promises";
import initE2ee from "../../wasm/e2ee";
import initVectors from "../../wasm/vectors";

/** Loads the worker's module and the one for tests, from their files. */
export async function loadModules(): Promise<void> {
  const file = (name: string) => readFile(new URL(`../../wasm/${name}`, import.meta.url));
  await initE2ee({ module_or_path: await file("e2ee_bg.wasm") });
  await initVectors({ module_or_path: await file("vectors_bg.wasm") });
}
