import { afterEach, expect, test, vi } from "vitest";
import { makeLink } from "./link";
import { createMeeting, fetchMeeting } from "./meetings";

afterEach(() => {
  vi.unstubAllGlobals();
  vi.useRealTimers();
});

const NO_NETWORK = new TypeError("network changed");

test("a question that gets no answer is asked once more, a creation is not", async () => {
  vi.useFakeTimers({ toFake: ["setTimeout"] });
  const fetch = vi.fn(() => Promise.reject(NO_NETWORK));
  vi.stubGlobal("fetch", fetch);
  const asking = fetchMeeting(await makeLink("https://localhost", "{}")).catch((e: unknown) => e);
  await vi.waitFor(() => expect(fetch).toHaveBeenCalledTimes(1));
  await vi.advanceTimersByTimeAsync(1_000);
  expect(await asking).toMatchObject({ fault: "unreachable" });
  expect(fetch).toHaveBeenCalledTimes(2);

  fetch.mockClear();
  await expect(createMeeting("", "https://localhost")).rejects.toMatchObject({
    fault: "unreachable",
  });
  expect(fetch).toHaveBeenCalledTimes(1);
});
