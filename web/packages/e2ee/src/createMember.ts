import type { Member, MemberOptions } from "./member";
import type { FromWorker, TransformOptions } from "./messages";
import { type KeyWorker, WorkerMember } from "./WorkerMember";

/** The worker that the next member gets, if one was made ahead. */
let warm: Worker | undefined;

/** Whether this browser can take part: media is transformed in a module worker, by WebAssembly. */
export function isSupported(): boolean {
  return (
    typeof RTCRtpScriptTransform === "function" &&
    typeof WebAssembly === "object" &&
    hasModuleWorkers()
  );
}

/** Loads the worker and its module ahead, for the next member. */
export function warmUp(): void {
  warm ??= newWorker();
}

/** Makes a member; what it does is told by `options.events`, never before this returns. */
export function createMember(options: MemberOptions): Member {
  const worker = warm ?? newWorker();
  warm = undefined;
  return new WorkerMember(keyWorker(worker), options);
}

function newWorker(): Worker {
  return new Worker(new URL("./worker.ts", import.meta.url), {
    type: "module",
    name: "conclave-keys",
  });
}

function keyWorker(worker: Worker): KeyWorker {
  return {
    postMessage: (message) => worker.postMessage(message),
    listen: (told, died) => {
      worker.onmessage = ({ data }: MessageEvent<FromWorker>) => told(data);
      worker.onmessageerror = died;
      worker.onerror = died;
    },
    transform: (end, options: TransformOptions) => {
      end.transform = new RTCRtpScriptTransform(worker, options);
    },
    terminate: () => worker.terminate(),
  };
}

/** A browser reads the option `type` of a worker's constructor only if it knows module workers. */
function hasModuleWorkers(): boolean {
  let read = false;
  const options = {
    get type(): WorkerType {
      read = true;
      return "module";
    },
  };
  try {
    // Browsers refuse the address, but not before they have read the options.
    new Worker("blob:", options).terminate();
  } catch {
    // What counts is whether they were read.
  }
  return read;
}
