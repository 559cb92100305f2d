import type { Scenario } from "../demo/DemoCall";

/** A call of five in which all is well; tests change what they are about. */
export const SCENARIO: Scenario = {
  people: 5,
  phase: "inCall",
  why: "admission",
  end: { kind: "left" },
  role: "host",
  knocks: 0,
  locked: false,
  state: "inGroup",
  shield: "unverified",
  oddities: false,
  chat: false,
  chatForbidden: false,
  hands: 0,
  reactions: 0,
  title: "",
  name: "Elena",
  sharing: false,
  selfSharing: false,
  longNames: false,
  notices: [],
  cameraBlock: undefined,
  microphoneBlock: undefined,
  microphoneOn: true,
  cameraOn: false,
};
