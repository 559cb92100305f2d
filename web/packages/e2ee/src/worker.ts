/**
 * The key worker: loads the module and hands on what page and browser say. It asks the network for
 * nothing but itself and the module.
 * @module
 */

import init, { MemberSession } from "../wasm/e2ee";
import { KeyKeeper } from "./KeyKeeper";
import type { FromWorker, ToWorker } from "./messages";
import { attach, type Transformer } from "./transforms";

/** The worker's global object, as far as it is needed here. */
interface Scope {
  postMessage(message: FromWorker): void;
  onmessage: ((event: MessageEvent<ToWorker>) => void) | null;
  onrtctransform: ((event: { readonly transformer: Transformer }) => void) | null;
}

const scope = globalThis as unknown as Scope;

const keeper = new KeyKeeper({
  now: () => performance.now(),
  unixMs: () => Date.now(),
  after: (ms, then) => {
    const timer = setTimeout(then, ms);
    return () => clearTimeout(timer);
  },
  tell: (message) => scope.postMessage(message),
  newSession: (atMs, unixMs, setup) => new MemberSession(atMs, unixMs, setup),
});

/** What was said before the module was there. */
let early: ToWorker[] | undefined = [];

scope.onmessage = ({ data }) => {
  if (early) early.push(data);
  else keeper.handle(data);
};
scope.onrtctransform = ({ transformer }) => attach(keeper, transformer);

init({ module_or_path: new URL("../wasm/e2ee_bg.wasm", import.meta.url) }).then(
  () => {
    const messages = early ?? [];
    early = undefined;
    for (const message of messages) keeper.handle(message);
  },
  () => keeper.crash(),
);
