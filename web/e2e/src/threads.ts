/**
 * The processor time of threads, as Linux counts it: for what a page cannot measure of itself.
 * @module
 */

import { readdirSync, readFileSync } from "node:fs";

/** Linux counts in hundredths of a second (`getconf CLK_TCK`). */
const MS_PER_TICK = 10;

/** A thread's name and the processor time that it has used since it began. */
export interface ThreadTime {
  readonly name: string;
  readonly ms: number;
}

/** The threads of all processes that this one has started, and of those that they started, by id. */
export function threadsOfDescendants(): Map<string, ThreadTime> {
  const children = new Map<number, number[]>();
  for (const entry of readdirSync("/proc").filter((name) => /^\d+$/.test(name))) {
    const parent = fields(`/proc/${entry}/stat`)?.[PARENT];
    if (parent === undefined) continue;
    children.set(Number(parent), [...(children.get(Number(parent)) ?? []), Number(entry)]);
  }
  const threads = new Map<string, ThreadTime>();
  const open = [...(children.get(process.pid) ?? [])];
  for (let pid = open.pop(); pid !== undefined; pid = open.pop()) {
    open.push(...(children.get(pid) ?? []));
    for (const id of idsOfThreads(pid)) {
      const time = threadTime(`/proc/${pid}/task/${id}/stat`);
      if (time !== undefined) threads.set(`${pid}/${id}`, time);
    }
  }
  return threads;
}

/** Of the fields behind the name in `/proc/PID/stat` (proc_pid_stat(5)). */
const PARENT = 1;
const USER_TICKS = 11;
const SYSTEM_TICKS = 12;

function threadTime(path: string): ThreadTime | undefined {
  const text = read(path);
  const values = fields(path, text);
  if (text === undefined || values === undefined) return undefined;
  const ticks = Number(values[USER_TICKS]) + Number(values[SYSTEM_TICKS]);
  const name = text.slice(text.indexOf("(") + 1, text.lastIndexOf(")"));
  return { name, ms: ticks * MS_PER_TICK };
}

/** The fields behind the name, which may have spaces and parentheses in it. */
function fields(path: string, text = read(path)): readonly string[] | undefined {
  return text?.slice(text.lastIndexOf(")") + 2).split(" ");
}

function idsOfThreads(pid: number): readonly string[] {
  try {
    return readdirSync(`/proc/${pid}/task`);
  } catch {
    // It has just ended.
    return [];
  }
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch {
    // It has just ended.
    return undefined;
  }
}
