/**
 * Every view with made-up people, for eyes and screenshots:
 * `/demo.html?view=call&people=9&sharing=1&theme=dark&lang=de`.
 * @module
 */

import "@conclave/ui/tokens.css";
import "@conclave/ui/base.css";
import {
  type DeviceBlock,
  type EndReason,
  formatLink,
  MeetingError,
  type MeetingFault,
  type MeetingLink,
  type MissingFeature,
  type NoticeKind,
} from "@conclave/client";
import type { MemberState, NodeFault } from "@conclave/wire";
import { createRoot } from "react-dom/client";
import { App } from "../App";
import type { Engine } from "../engine";
import { activate } from "../i18n/catalogues";
import { languageOf } from "../i18n/languages";
import { setPreferences } from "../preferences";
import { DemoCall, type Scenario } from "./DemoCall";

const query = new URLSearchParams(location.search);
const view = query.get("view") ?? "home";
const language = languageOf(query.get("lang") ?? "en") ?? "en";
const theme = query.get("theme");

setPreferences({
  theme: theme === "dark" || theme === "light" ? theme : "system",
  language,
  name: query.get("name") ?? "Elena Marchetti",
});

const scenario: Scenario = {
  people: Number(query.get("people") ?? "5"),
  phase: phaseOf(view),
  why: query.get("why") === "host" ? "host" : "admission",
  role: (query.get("role") ?? "host") as Scenario["role"],
  knocks: Number(query.get("knocks") ?? "0"),
  locked: query.has("locked"),
  state: (query.get("state") ?? "inGroup") as Scenario["state"],
  shield: (query.get("shield") ?? "unverified") as Scenario["shield"],
  oddities: query.has("odd"),
  chat: query.has("chat"),
  chatForbidden: query.has("chatForbidden"),
  hands: Number(query.get("hands") ?? "0"),
  reactions: Number(query.get("reactions") ?? "0"),
  end: endOf(query.get("end")),
  title: query.get("title") ?? "Harbour renewal, weekly",
  name: query.get("name") ?? "Elena Marchetti",
  sharing: query.has("sharing"),
  selfSharing: query.has("selfSharing"),
  longNames: query.has("long"),
  notices: (query.get("notices")?.split(",") ?? []) as NoticeKind[],
  cameraBlock: (query.get("camera") ?? undefined) as DeviceBlock | undefined,
  microphoneBlock: (query.get("microphone") ?? undefined) as DeviceBlock | undefined,
  microphoneOn: !query.has("muted"),
  cameraOn: !query.has("dark"),
};

const LINK: MeetingLink = {
  origin: location.origin.replace("http:", "https:"),
  id: "AAAAAAAAAAAAAAAAAAAAAA",
  secret: new Uint8Array(32),
  policyDigest: "AAAAAAAAAAAAAAAAAAAAAA",
};

const demoEngine: Engine = {
  missingFeatures: () => {
    const missing = query.get("missing") as MissingFeature | null;
    return missing === null ? [] : [missing];
  },
  createMeeting: async () => {
    const fault = query.get("create") as MeetingFault | null;
    if (fault !== null) throw new MeetingError(fault, "demo");
    return { link: LINK, hostLink: `${formatLink(LINK)}.${"A".repeat(43)}` };
  },
  fetchMeeting: async () => {
    const fault = query.get("fault") as MeetingFault | null;
    if (fault !== null) throw new MeetingError(fault, "demo");
    return {
      title: scenario.title,
      participants: scenario.people - 1,
      constitution: "",
      cameraCodec: "auto",
    };
  },
  openCall: () => {
    const call = new DemoCall(scenario);
    Object.assign(globalThis, { demoCall: call });
    return call;
  },
};

if (view !== "home") {
  const link = formatLink(LINK);
  const hash = view === "cut" ? "#1.short" : link.slice(link.indexOf("#"));
  history.replaceState(undefined, "", `/m/${LINK.id}${hash}`);
} else {
  history.replaceState(undefined, "", "/");
}

const root = document.getElementById("root");
if (root !== null) {
  await activate(language);
  createRoot(root).render(<App engine={demoEngine} />);
}

function phaseOf(name: string): Scenario["phase"] {
  if (name === "call") return "inCall";
  if (name === "reconnecting" || name === "ended" || name === "waiting") return name;
  return "preparing";
}

function endOf(text: string | null): EndReason {
  const [kind, detail] = (text ?? "left").split(":");
  if (kind === "full") return { kind: "refused", code: "meetingFull" };
  if (kind === "unverified") return { kind, state: detail as MemberState };
  if (kind === "nodeRefused") return { kind, fault: detail as NodeFault };
  return { kind } as EndReason;
}
