/**
 * Looks for bytes in what a process holds: its memory and its files.
 * @module
 */

import { closeSync, openSync, readdirSync, readFileSync, readSync } from "node:fs";
import { join } from "node:path";

/** Something to look for: at least four bytes. */
export interface Needle {
  readonly what: string;
  readonly bytes: Buffer;
}

/** The ways in which some bytes may lie in memory or in a file: as they are, in hex, in Base64. */
export function formsOfBytes(what: string, bytes: Buffer): Needle[] {
  return [
    { what, bytes },
    { what: `${what}, in hex`, bytes: Buffer.from(bytes.toString("hex")) },
    ...base64Forms(what, bytes),
  ];
}

/** The ways in which a text may lie in memory or in a file. */
export function formsOfText(what: string, text: string): Needle[] {
  return [
    ...formsOfBytes(what, Buffer.from(text, "utf8")),
    { what: `${what}, in UTF-16`, bytes: Buffer.from(text, "utf16le") },
  ];
}

/** Base64 of some bytes wherever they lie in what is encoded: three phases, two alphabets. */
function base64Forms(what: string, bytes: Buffer): Needle[] {
  const forms = new Map<string, Needle>();
  for (const phase of [0, 1, 2]) {
    const padded = Buffer.concat([Buffer.alloc(phase), bytes]);
    for (const alphabet of ["base64", "base64url"] as const) {
      // The characters at both ends depend on the neighbours.
      const begin = phase === 0 ? 0 : phase + 1;
      const end = Math.floor((padded.length * 8) / 6);
      const inner = padded.toString(alphabet).slice(begin, end);
      forms.set(inner, { what: `${what}, in Base64`, bytes: Buffer.from(inner) });
    }
  }
  return [...forms.values()];
}

/** Finds any of many needles in one pass. */
export class Finder {
  readonly #byHead = new Map<number, Needle[]>();
  /** Whether some needle begins with these two bytes. */
  readonly #mayBegin = new Uint8Array(1 << 16);
  readonly #longest: number;

  constructor(needles: readonly Needle[]) {
    this.#longest = Math.max(...needles.map(({ bytes }) => bytes.length));
    for (const needle of needles) {
      const head = needle.bytes.readUInt32LE(0);
      this.#mayBegin[head & 0xffff] = 1;
      this.#byHead.set(head, [...(this.#byHead.get(head) ?? []), needle]);
    }
  }

  /** What is in `haystack`. */
  in(haystack: Buffer): Set<string> {
    const found = new Set<string>();
    const end = haystack.length - 4;
    for (let at = 0; at <= end; at += 1) {
      const two = (haystack[at] ?? 0) | ((haystack[at + 1] ?? 0) << 8);
      if (this.#mayBegin[two] === 0) continue;
      for (const { what, bytes } of this.#byHead.get(haystack.readUInt32LE(at)) ?? []) {
        if (haystack.subarray(at, at + bytes.length).equals(bytes)) found.add(what);
      }
    }
    return found;
  }

  /** What is in any file under `folder`. */
  inFiles(folder: string): Set<string> {
    const found = new Set<string>();
    for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
      if (!entry.isFile()) continue;
      const content = readFileSync(join(entry.parentPath, entry.name));
      for (const what of this.in(content)) found.add(what);
    }
    return found;
  }

  /** What is in a process's own memory: all that it may write. It needs root. */
  inMemory(pid: number): Set<string> {
    const found = new Set<string>();
    const memory = openSync(`/proc/${pid}/mem`, "r");
    try {
      for (const line of readFileSync(`/proc/${pid}/maps`, "utf8").split("\n")) {
        const [, from, to] = /^([0-9a-f]+)-([0-9a-f]+) rw/.exec(line) ?? [];
        if (from === undefined || to === undefined) continue;
        const end = Number.parseInt(to, 16);
        for (let at = Number.parseInt(from, 16); at < end; at += CHUNK) {
          const chunk = readChunk(memory, at, Math.min(CHUNK + this.#longest, end - at));
          for (const what of this.in(chunk)) found.add(what);
        }
      }
    } finally {
      closeSync(memory);
    }
    return found;
  }
}

const CHUNK = 4 << 20;

function readChunk(memory: number, at: number, length: number): Buffer {
  const chunk = Buffer.alloc(length);
  try {
    return chunk.subarray(0, readSync(memory, chunk, 0, length, at));
  } catch {
    // Memory that was given back meanwhile, or that nobody may read.
    return chunk.subarray(0, 0);
  }
}
