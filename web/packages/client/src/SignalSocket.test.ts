import { MAX_FRAME_BYTES, type ServerMessage } from "@conclave/wire";
import { afterEach, beforeEach, expect, test, vi } from "vitest";

import { type PageChange, SignalSocket, type SocketLike } from "./SignalSocket";

/** A socket whose far end is the test. */
class FakeSocket implements SocketLike {
  onopen: SocketLike["onopen"] = null;
  onmessage: SocketLike["onmessage"] = null;
  onclose: SocketLike["onclose"] = null;
  onerror: SocketLike["onerror"] = null;
  readonly readyState = 1;
  readonly sent: string[] = [];
  closed = false;

  send(text: string): void {
    this.sent.push(text);
  }

  close(): void {
    this.closed = true;
  }

  types(): unknown[] {
    return this.sent.map((text) => JSON.parse(text).type);
  }

  receive(data: unknown): void {
    this.onmessage?.call(this as never, new MessageEvent("message", { data }));
  }

  open(): void {
    this.onopen?.call(this as never, new Event("open"));
    this.receive('{"type":"welcome","version":2,"challenge":"c"}');
  }

  drop(): void {
    this.onclose?.call(this as never, new CloseEvent("close"));
  }
}

const sockets: FakeSocket[] = [];
const events: string[] = [];
let page: ((change: PageChange) => void) | undefined;
let random = 0.5;

function last(): FakeSocket {
  const socket = sockets.at(-1);
  if (socket === undefined) throw new Error("no socket yet");
  return socket;
}

function makeSocket(): SignalSocket {
  return new SignalSocket(
    "wss://localhost/api/v1/signal",
    {
      onUp: (challenge) => events.push(`up ${challenge}`),
      onDown: () => events.push("down"),
      onMessage: (message: ServerMessage) => events.push(message.type),
    },
    {
      connect: () => {
        const socket = new FakeSocket();
        sockets.push(socket);
        return socket;
      },
      random: () => random,
      nowMs: () => Date.now(),
      watchPage: (onChange) => {
        page = onChange;
        return () => {
          page = undefined;
        };
      },
    },
  );
}

beforeEach(() => {
  vi.useFakeTimers();
  sockets.length = 0;
  events.length = 0;
  random = 0.5;
});

afterEach(() => {
  vi.useRealTimers();
});

test("greets, and is up once it is welcomed", () => {
  const signal = makeSocket();
  signal.open();
  expect(signal.send({ type: "leave" })).toBe(false);
  last().open();
  expect(last().sent).toEqual(['{"type":"hello","version":2}']);
  expect(events).toEqual(["up c"]);
  expect(signal.send({ type: "leave" })).toBe(true);
});

test("hands messages on, and drops what is none", () => {
  makeSocket().open();
  last().open();
  for (const junk of ["{", "null", "3", '{"a":1}', new ArrayBuffer(2)]) last().receive(junk);
  last().receive('{"type":"speakers","active":null,"speaking":[]}');
  expect(events).toEqual(["up c", "speakers"]);
});

test("a silent socket is dead within six seconds", () => {
  makeSocket().open();
  last().open();
  vi.advanceTimersByTime(5_900);
  expect(last().types()).toEqual(["hello", "ping"]);
  expect(events).toEqual(["up c"]);
  vi.advanceTimersByTime(200);
  expect(events).toEqual(["up c", "down"]);
  expect(last().closed).toBe(true);
});

test("a socket that answers lives", () => {
  makeSocket().open();
  last().open();
  for (let i = 0; i < 20; i += 1) {
    vi.advanceTimersByTime(3_000);
    last().receive('{"type":"pong"}');
  }
  expect(events).toEqual(["up c"]);
  expect(sockets).toHaveLength(1);
});

test("a page that slept asks once more before it gives a socket up", () => {
  makeSocket().open();
  last().open();
  vi.advanceTimersByTime(3_000);
  vi.setSystemTime(Date.now() + 60_000);
  vi.advanceTimersByTime(3_000);
  expect(events).toEqual(["up c"]);
  vi.advanceTimersByTime(3_000);
  expect(events).toEqual(["up c", "down"]);
});

test("pauses grow from 200 ms to 2 s, and begin anew after a welcome", () => {
  makeSocket().open();
  for (const pauseMs of [200, 400, 800, 1_600, 2_000, 2_000]) {
    const tries = sockets.length;
    last().drop();
    vi.advanceTimersByTime(pauseMs - 1);
    expect(sockets).toHaveLength(tries);
    vi.advanceTimersByTime(1);
    expect(sockets).toHaveLength(tries + 1);
  }
  last().open();
  const tries = sockets.length;
  last().drop();
  vi.advanceTimersByTime(200);
  expect(sockets).toHaveLength(tries + 1);
});

test("clients of one server do not come back in step", () => {
  random = 0;
  makeSocket().open();
  last().drop();
  vi.advanceTimersByTime(150);
  expect(sockets).toHaveLength(2);
  random = 1;
  last().drop();
  vi.advanceTimersByTime(499);
  expect(sockets).toHaveLength(2);
  vi.advanceTimersByTime(1);
  expect(sockets).toHaveLength(3);
});

test("a server that accepts and says nothing is given up", () => {
  makeSocket().open();
  vi.advanceTimersByTime(5_000);
  expect(events).toEqual(["down"]);
});

test("a network that comes back is tried at once", () => {
  makeSocket().open();
  for (let i = 0; i < 5; i += 1) {
    last().drop();
    vi.advanceTimersByTime(2_500);
  }
  last().drop();
  const tries = sockets.length;
  page?.("online");
  expect(sockets).toHaveLength(tries + 1);
  page?.("online");
  expect(sockets).toHaveLength(tries + 2);
  expect(sockets.filter(({ closed }) => !closed)).toHaveLength(1);
});

test("after a sign of change a dead socket is found faster", () => {
  makeSocket().open();
  last().open();
  page?.("doubt");
  expect(last().types()).toEqual(["hello", "ping"]);
  vi.advanceTimersByTime(1_500);
  expect(events).toEqual(["up c", "down"]);
});

test("what is too large for the server is not sent", () => {
  const signal = makeSocket();
  signal.open();
  last().open();
  const sdp = "x".repeat(MAX_FRAME_BYTES);
  expect(signal.send({ type: "offer", offer: { generation: 1, sdp, tracks: [] } })).toBe(false);
  expect(last().types()).toEqual(["hello"]);
});

test("closing is for good", () => {
  const signal = makeSocket();
  signal.open();
  last().open();
  signal.close();
  vi.advanceTimersByTime(60_000);
  expect(sockets).toHaveLength(1);
  expect(last().closed).toBe(true);
  expect(page).toBeUndefined();
  expect(events).toEqual(["up c"]);
});
