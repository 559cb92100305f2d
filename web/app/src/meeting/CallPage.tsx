import type { CallCommands, PersonId } from "@conclave/client";
import { type JSX, type ReactNode, useCallback, useRef, useState } from "react";
import { CallView } from "../features/call/CallView";
import type { PanelKind } from "../features/call/ControlBar";
import { LAYOUT_MODES, type LayoutMode } from "../features/call/layoutWish";
import { ShortcutsDialog } from "../features/call/ShortcutsDialog";
import { useShortcuts } from "../features/call/useShortcuts";
import { ChatControl } from "../features/chat/ChatControl";
import { ChatPanel } from "../features/chat/ChatPanel";
import { InterruptionView } from "../features/interruption/InterruptionView";
import { interruptionOf } from "../features/interruption/interruptions";
import { LobbyPrompt } from "../features/lobby/LobbyPrompt";
import { LobbySection } from "../features/lobby/LobbySection";
import { PeoplePanel } from "../features/people/PeoplePanel";
import { ReactionControls } from "../features/reactions/ReactionControls";
import { ReactionStack } from "../features/reactions/ReactionStack";
import { TileSigns } from "../features/reactions/TileSigns";
import { SettingsDialog } from "../features/settings/SettingsDialog";
import { ShieldButton } from "../features/shield/ShieldButton";
import { ShieldDialog } from "../features/shield/ShieldDialog";
import { CopyLink } from "../invite/CopyLink";
import { useSnapshot } from "../useSnapshot";
import { useWakeLock } from "./useWakeLock";

export interface CallPageProps {
  readonly call: CallCommands;
  /** The invitation: the guests' link, without what makes a host. */
  readonly link: string;
}

type OpenDialog = "settings" | "help" | "shield" | undefined;

/** The call with the panel and the dialogs around it. */
export function CallPage({ call, link }: CallPageProps): JSX.Element {
  const [mode, setMode] = useState<LayoutMode>("auto");
  const [pin, setPin] = useState<PersonId>();
  const [page, setPage] = useState(0);
  const [panel, setPanel] = useState<PanelKind>();
  const [isReacting, setReacting] = useState(false);
  const [dialog, setDialog] = useState<OpenDialog>();
  const draft = useRef("");
  const close = useCallback(() => setDialog(undefined), []);
  const state = useSnapshot(call, ({ group }) => group.state);
  const interruption = interruptionOf(state);

  const turnTo = (mode: LayoutMode): void => {
    setMode(mode);
    setPage(0);
  };
  const pinTo = useCallback((id: PersonId | undefined) => {
    setPin(id);
    setPage(0);
  }, []);

  const signsOf = useCallback(
    (person: PersonId | "self"): ReactNode => <TileSigns call={call} person={person} />,
    [call],
  );

  useWakeLock();
  useShortcuts(call, {
    people: () => setPanel((open) => (open === "people" ? undefined : "people")),
    chat: () => setPanel((open) => (open === "chat" ? undefined : "chat")),
    reactions: () => setReacting(true),
    layout: () => {
      setPin(undefined);
      turnTo(LAYOUT_MODES[(LAYOUT_MODES.indexOf(mode) + 1) % LAYOUT_MODES.length] ?? "auto");
    },
    nextPage: () => setPage((at) => at + 1),
    previousPage: () => setPage((at) => Math.max(0, at - 1)),
    help: () => setDialog("help"),
  });

  const closePanel = (): void => setPanel(undefined);
  const panels: Readonly<Record<PanelKind, () => JSX.Element>> = {
    people: () => (
      <PeoplePanel
        call={call}
        pinned={pin}
        onPin={pinTo}
        onClose={closePanel}
        lobby={<LobbySection call={call} />}
        invite={<CopyLink link={link} compact />}
      />
    ),
    chat: () => <ChatPanel call={call} draft={draft} onClose={closePanel} />,
  };

  return (
    <>
      <CallView
        call={call}
        layout={{ mode, pin }}
        onMode={turnTo}
        onPin={pinTo}
        onUnpin={() => pinTo(undefined)}
        page={page}
        onPage={setPage}
        panel={panel}
        onPanel={setPanel}
        signsOf={signsOf}
        corner={<ReactionStack call={call} />}
        reactionControls={<ReactionControls call={call} isOpen={isReacting} onOpen={setReacting} />}
        chatControl={
          <ChatControl
            call={call}
            isOpen={panel === "chat"}
            onOpen={(open) => setPanel(open ? "chat" : undefined)}
          />
        }
        onSettings={() => setDialog("settings")}
        onHelp={() => setDialog("help")}
        onBlocked={() => setDialog("settings")}
        invite={<CopyLink link={link} prominent />}
        shield={<ShieldButton call={call} onOpen={() => setDialog("shield")} />}
        lobby={
          <LobbyPrompt
            call={call}
            isPanelOpen={panel === "people"}
            onShowAll={() => setPanel("people")}
          />
        }
        interruption={
          interruption === undefined ? undefined : (
            <InterruptionView key={state} call={call} interruption={interruption} />
          )
        }
        side={panel === undefined ? undefined : panels[panel]()}
      />
      <SettingsDialog call={call} isOpen={dialog === "settings"} onClose={close} />
      <ShieldDialog call={call} isOpen={dialog === "shield"} onClose={close} />
      <ShortcutsDialog isOpen={dialog === "help"} onClose={close} />
    </>
  );
}
