import { expect, test } from "vitest";
import { FrameBook } from "./FrameBook";

test("what frames cost is counted apart for sound and picture, sealed and opened", () => {
  const book = new FrameBook();
  book.sealed("audio", 0.05, 100, 120);
  book.sealed("audio", 0.07, 80, 100);
  book.opened("video", 0.5, 1000, 1023);

  const { sealing, opening, sealed, opened } = book.counts();
  expect([sealed, opened]).toEqual([2, 1]);
  expect(sealing.audio).toMatchObject({ frames: 2, clearBytes: 180, addedBytes: 40 });
  expect(sealing.audio.ms).toBeCloseTo(0.12);
  expect(opening.video).toMatchObject({ frames: 1, ms: 0.5, clearBytes: 1000, addedBytes: 23 });
  expect([sealing.video.frames, opening.audio.frames]).toEqual([0, 0]);
});

test("times are told apart in steps, and the last one has all that is longer", () => {
  const book = new FrameBook();
  // A clock that browsers make coarse may seem to go back.
  for (const ms of [-0.1, 0, 0.019, 0.021, 5.01, 9.999, 300]) book.opened("video", ms, 1, 1);
  const { steps, stepMs } = book.counts().opening.video;
  const found = steps.flatMap((count, step) => (count > 0 ? [[step, count]] : []));
  expect(found).toEqual([
    [0, 3],
    [1, 1],
    [250, 1],
    [499, 2],
  ]);
  expect(stepMs * steps.length).toBeCloseTo(10);
});
