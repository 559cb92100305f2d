import { type CallCommands, formatLink, type MeetingLink } from "@conclave/client";
import { type JSX, lazy, Suspense, useEffect, useRef } from "react";
import { JoinView } from "../features/join/JoinView";
import { HostLinks } from "../invite/HostLinks";
import { ProtectionLine } from "../layout/ProtectionLine";
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

export interface MeetingPageProps {
  /** For whoever created the meeting just now. */
  readonly hostLink: string | undefined;
}

/** A meeting, from its link to its end. */
export function MeetingPage({ hostLink }: MeetingPageProps): JSX.Element {
  const [state, retry] = useMeeting();
  switch (state.kind) {
    case "opening":
      return <WaitView />;
    case "failed":
      return <ProblemView words={state.words} onRetry={state.canRetry ? retry : undefined} />;
    case "open":
      return <OpenMeeting {...state} hostLink={hostLink} />;
  }
}

type OpenState = Extract<ReturnType<typeof useMeeting>[0], { kind: "open" }>;
type OpenMeetingProps = Omit<OpenState, "kind"> & MeetingPageProps;

function OpenMeeting(props: OpenMeetingProps): JSX.Element {
  const { link, meeting, call, openElsewhere, hostLink } = props;
  const phase = useSnapshot(call, (snapshot) => snapshot.phase);
  const wasInside = useRef(false);
  if (phase.kind === "inCall") wasInside.current = true;
  const invitation = formatLink(link);
  useMark(call, link);
  useDeviceMemory(call);
  useEffect(() => {
    void loadCall();
  }, []);

  switch (phase.kind) {
    case "preparing":
    case "joining":
    case "waiting":
      return (
        <JoinView
          call={call}
          meeting={meeting}
          openElsewhere={openElsewhere}
          header={<SiteHeader />}
          notice={<ProtectionLine />}
          links={
            hostLink === undefined ? null : (
              <HostLinks invitation={invitation} hostLink={hostLink} />
            )
          }
        />
      );
    case "inCall":
    case "reconnecting":
      return (
        <Suspense fallback={<WaitView />}>
          <CallPage call={call} link={invitation} />
        </Suspense>
      );
    case "ended":
      return (
        <EndView
          reason={phase.reason}
          wasInside={wasInside.current}
          onRejoin={() => {
            wasInside.current = false;
            call.rejoin();
          }}
        />
      );
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
