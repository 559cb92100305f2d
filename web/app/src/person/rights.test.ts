import { expect, test } from "vitest";
import { mayAdmit, mayAppoint, mayDirect, mayOrder, mayRemove } from "./rights";

test("admitters let people in, guests and presenters do not", () => {
  expect(mayAdmit("admitter")).toBe(true);
  expect(mayAdmit("presenter")).toBe(false);
  expect(mayAdmit("guest")).toBe(false);
});

test("lock and orders are for hosts and co-hosts", () => {
  expect(mayOrder("coHost")).toBe(true);
  expect(mayOrder("admitter")).toBe(false);
});

test("nobody but a host removes or directs one of the same role or above", () => {
  expect(mayRemove("host", "host")).toBe(true);
  expect(mayRemove("coHost", "coHost")).toBe(false);
  expect(mayRemove("admitter", "guest")).toBe(true);
  expect(mayRemove("guest", "guest")).toBe(false);
  expect(mayDirect("coHost", "host")).toBe(false);
  expect(mayDirect("admitter", "guest")).toBe(false);
});

test("a host appoints all but hosts; a co-host only those below itself", () => {
  expect(mayAppoint("host", "guest", "coHost")).toBe(true);
  expect(mayAppoint("host", "host", "guest")).toBe(false);
  expect(mayAppoint("host", "guest", "host")).toBe(false);
  expect(mayAppoint("coHost", "guest", "admitter")).toBe(true);
  expect(mayAppoint("coHost", "guest", "coHost")).toBe(false);
  expect(mayAppoint("coHost", "coHost", "guest")).toBe(false);
  expect(mayAppoint("admitter", "guest", "admitter")).toBe(false);
});
