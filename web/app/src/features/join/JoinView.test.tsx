import { act } from "react";
import { beforeEach, expect, test, vi } from "vitest";
import { DemoCall, type Scenario } from "../../demo/DemoCall";
import { setPreferences } from "../../preferences";
import { byRole, press, render, submit, type } from "../../testing/render";
import { SCENARIO } from "../../testing/scenario";
import { JoinView } from "./JoinView";

vi.mock("../../demo/scene", () => ({ paintPerson: () => undefined, paintScreen: () => undefined }));

async function drawJoin(scenario: Partial<Scenario> = {}, participants = 0): Promise<DemoCall> {
  const call = new DemoCall({ ...SCENARIO, people: 1, phase: "preparing", name: "", ...scenario });
  await render(
    <JoinView
      call={call}
      meeting={{ title: "Budget", participants, constitution: "", cameraCodec: "auto" }}
      openElsewhere={false}
      header={null}
      notice={null}
      links={null}
    />,
  );
  return call;
}

beforeEach(() => setPreferences({ name: "" }));

test("nobody joins without a name, and is told so", async () => {
  const call = await drawJoin();
  const field = byRole("textbox", "Your name");
  await type(field, "   ");
  await submit(field);
  expect(call.snapshot().phase.kind).toBe("preparing");
  expect(document.body.textContent).toContain("Enter the name that the others shall see.");
});

test("the name goes to the call and is remembered for the next meeting", async () => {
  const call = await drawJoin();
  const field = byRole("textbox", "Your name");
  await type(field, " Elena ");
  await submit(field);
  expect(call.snapshot().self.name).toBe("Elena");
  expect(call.snapshot().phase.kind).toBe("joining");
  expect(localStorage.getItem("conclave.preferences")).toContain('"name":"Elena"');
});

test.each([
  ["noPermission", "The browser may not use your camera."],
  ["noDevice", "No camera was found."],
  ["inUse", "Another program is using the camera."],
  ["failed", "The camera did not start."],
] as const)("a camera that is blocked (%s) says why", async (cameraBlock, words) => {
  await drawJoin({ cameraBlock });
  expect(document.body.textContent).toContain(words);
});

test("with neither camera nor microphone one joins to watch and listen", async () => {
  await drawJoin({ cameraBlock: "noDevice", microphoneBlock: "noDevice" });
  expect(byRole("button", "Join to watch and listen")).toBeDefined();
});

test("a microphone that is switched off counts as off", async () => {
  const call = await drawJoin();
  const toggle = byRole("button", "Microphone");
  expect(toggle.getAttribute("aria-pressed")).toBe("true");
  await act(async () => call.setMicrophone(false));
  expect(toggle.getAttribute("aria-pressed")).toBe("false");
});

test("at the door one sees oneself, reads under which name one asks, and may give up", async () => {
  const call = await drawJoin({ phase: "waiting", name: "Elena" }, 4);
  expect(byRole("heading", "Asking to be let in")).toBe(document.activeElement);
  expect(document.body.textContent).toContain("You ask as Elena.");
  expect(document.body.textContent).not.toContain("people are in the call");
  expect(byRole("button", "Camera")).toBeDefined();
  await press(byRole("button", "Cancel"));
  expect(call.snapshot().phase.kind).toBe("ended");
});

test("before a host has come one is told so", async () => {
  await drawJoin({ phase: "waiting", why: "host" });
  expect(byRole("heading", "The host has not opened the meeting yet")).toBeDefined();
});

test.each([
  [0, "Nobody is here yet"],
  [1, "1 person is in the call"],
  [7, "7 people are in the call"],
])("%i in the call reads %j", async (participants, words) => {
  await drawJoin({}, participants);
  expect(document.body.textContent).toContain(words);
});
