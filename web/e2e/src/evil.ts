/**
 * An evil server: it stands between one page and the real server, and changes what they say to each
 * other. Only in Chromium.
 * @module
 */

import type { ClientMessage, ServerMessage } from "@conclave/wire";
import type { WebSocketRoute } from "playwright-core";

import type { ChromiumTab } from "./chromium.ts";

/** What becomes of a message: nothing at all, itself, or others. */
export type Edit<M> = (message: M) => M | readonly M[] | undefined;

/** A server that lies to one page. */
export class EvilServer {
  /** What becomes of what the real server says. */
  toPage: Edit<ServerMessage> = (message) => message;
  /** What becomes of what the page says. */
  toServer: Edit<ClientMessage> = (message) => message;
  /** All that the real server said, before it was changed. */
  readonly said: ServerMessage[] = [];
  /** All that the page said. */
  readonly heard: ClientMessage[] = [];
  #page: WebSocketRoute | undefined;
  #server: WebSocketRoute | undefined;

  /** Places itself between `tab` and its server. Before the page is opened. */
  static async before(tab: ChromiumTab): Promise<EvilServer> {
    const evil = new EvilServer();
    await tab.page.routeWebSocket(/\/api\/v1\/signal$/, (page) => {
      const server = page.connectToServer();
      evil.#page = page;
      evil.#server = server;
      server.onMessage((data) => {
        const message = JSON.parse(String(data)) as ServerMessage;
        evil.said.push(message);
        for (const each of list(evil.toPage(message))) page.send(JSON.stringify(each));
      });
      page.onMessage((data) => {
        const message = JSON.parse(String(data)) as ClientMessage;
        evil.heard.push(message);
        for (const each of list(evil.toServer(message))) server.send(JSON.stringify(each));
      });
    });
    return evil;
  }

  /** Says something to the page that the real server never said. */
  tellPage(message: ServerMessage): void {
    this.#page?.send(JSON.stringify(message));
  }

  /** Says something to the real server in the page's name. */
  tellServer(message: ClientMessage): void {
    this.#server?.send(JSON.stringify(message));
  }
}

function list<M>(edited: M | readonly M[] | undefined): readonly M[] {
  if (edited === undefined) return [];
  return Array.isArray(edited) ? edited : [edited as M];
}
