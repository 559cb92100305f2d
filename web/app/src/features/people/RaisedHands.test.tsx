import { act } from "react";
import { expect, test, vi } from "vitest";
import { DemoCall } from "../../demo/DemoCall";
import { render } from "../../testing/render";
import { SCENARIO } from "../../testing/scenario";
import { RaisedHands } from "./RaisedHands";

// Pictures are painted on a canvas, which this DOM does not have.
vi.mock("../../demo/scene", () => ({ paintPerson: () => undefined, paintScreen: () => undefined }));

const queue = (): (string | null)[] =>
  [...document.querySelectorAll('[data-testid="raised-hands"] li')].map((one) => one.textContent);

test("raised hands stand in the order in which they went up", async () => {
  const call = new DemoCall(SCENARIO);
  const [first, second] = call.snapshot().others;
  await render(<RaisedHands call={call} />);
  expect(document.querySelector("ol")).toBeNull();
  await act(async () => {
    call.raiseAs(second?.id ?? "", true);
    call.raiseHand(true);
    call.raiseAs(first?.id ?? "", true);
  });
  expect(document.body.textContent).toContain("Raised hands (3)");
  expect(queue()).toEqual([second?.name, "You", first?.name]);
  await act(async () => call.raiseAs(second?.id ?? "", false));
  expect(queue()).toEqual(["You", first?.name]);
});
