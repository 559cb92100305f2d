import { type CallCommands, formatLink, type MeetingLink } from "@conclave/client";
import { type JSX, lazy, Suspense, useEffect } from "react";
import { JoinView } from "../features/join/JoinView";
import { PlainNotice } from "../layout/PlainNotice";
import { SiteHeader } from "../layout/SiteHeader";
import { useSnapshot } from "../useSnapshot";
import { useDeviceMemory } from "./deviceMemory";
import { EndView } from "./EndView";
import { markOpen } from "./otherTab";
import { ProblemView } from "./ProblemView";
import { useMeeting } from "./useMeeting";
import { WaitView } from "./WaitView";

const loadCall = async () => ({ default: (await import("./CallPage")).CallPage });
const CallPage = lazy(loadCall);

/** A meeting, from its link to its end. */
export function MeetingPage(): JSX.Element {
  const [state, retry] = useMeeting();
  switch (state.kind) {
    case "opening":
      return <WaitView />;
    case "failed":
      return <ProblemView words={state.words} onRetry={state.canRetry ? retry : undefined} />;
    case "open":
      return <OpenMeeting {...state} />;
  }
}

type OpenMeetingProps = Omit<Extract<ReturnType<typeof useMeeting>[0], { kind: "open" }>, "kind">;

function OpenMeeting({ link, meeting, call, openElsewhere }: OpenMeetingProps): JSX.Element {
  const phase = useSnapshot(call, (snapshot) => snapshot.phase);
  useMark(call, link);
  useDeviceMemory(call);
  useEffect(() => {
    void loadCall();
  }, []);

  switch (phase.kind) {
    case "preparing":
    case "joining":
      return (
        <JoinView
          call={call}
          meeting={meeting}
          openElsewhere={openElsewhere}
          header={<SiteHeader />}
          notice={<PlainNotice />}
        />
      );
    case "inCall":
    case "reconnecting":
      return (
        <Suspense fallback={<WaitView />}>
          <CallPage call={call} link={formatLink(link)} />
        </Suspense>
      );
    case "ended":
      return <EndView reason={phase.reason} onRejoin={() => call.rejoin()} />;
  }
}

/** Tells other tabs while this one is in the call. */
function useMark(call: CallCommands, link: MeetingLink): void {
  const inCall = useSnapshot(
    call,
    ({ phase }) => phase.kind === "inCall" || phase.kind === "reconnecting",
  );
  useEffect(() => (inCall ? markOpen(link.id) : undefined), [inCall, link.id]);
}
