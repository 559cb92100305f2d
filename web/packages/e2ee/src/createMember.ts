import type { Member, MemberOptions } from "./member";
import type { FromWorker, TransformOptions } from "./messages";
import { type KeyWorker, WorkerMember } from "./WorkerMember";

/** The worker that the next member gets, if one was made ahead. */
let warm: Worker | undefined;

/**
 * Whether this browser can take part: media is transformed in a module worker, by WebAssembly.
 * Every browser with `RTCRtpScriptTransform` runs modules in workers, and there is no way to ask
 * that the page's content security policy would not report.
 */
export function isSupported(): boolean {
  return (
    typeof RTCRtpScriptTransform === "function" &&
    typeof Worker === "function" &&
    typeof WebAssembly === "object"
  );
}

/** Loads the worker and its module ahead, for the next member. */
export function warmUp(): void {
  if (warm) return;
  const worker = newWorker();
  // It has nothing to say yet but that it could not be loaded. The next member tries anew.
  const forget = (): void => {
    worker.terminate();
    if (warm === worker) warm = undefined;
  };
  worker.onmessage = forget;
  worker.onerror = forget;
  warm = worker;
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
