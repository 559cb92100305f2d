import type { CallCommands, ParticipantSnapshot, PersonId } from "@conclave/client";
import { classes } from "@conclave/ui";
import { Trans, useLingui } from "@lingui/react/macro";
import { type JSX, type ReactNode, useState } from "react";
import { SidePanel } from "../../layout/SidePanel";
import { useSnapshot } from "../../useSnapshot";
import { MeetingControls } from "./MeetingControls";
import styles from "./PeoplePanel.module.css";
import { PersonRow, SelfRow } from "./PersonRow";
import { RaisedHands } from "./RaisedHands";
import { RemoveDialog } from "./RemoveDialog";
import { rosterOf } from "./roster";

const c = classes(styles);

export interface PeoplePanelProps {
  readonly call: CallCommands;
  readonly pinned: PersonId | undefined;
  readonly onPin: (id: PersonId | undefined) => void;
  readonly onClose: () => void;
  /** Those who ask to come in. */
  readonly lobby: ReactNode;
  /** The way to invite others. */
  readonly invite: ReactNode;
}

/** Who is in the call by what proof, what may be done about each, and the way to invite others. */
export function PeoplePanel(props: PeoplePanelProps): JSX.Element {
  const { call, onClose, lobby, invite } = props;
  const count = useSnapshot(call, ({ others }) => others.length + 1);
  const [removing, setRemoving] = useState<ParticipantSnapshot>();
  return (
    <SidePanel title={<Trans>People ({count})</Trans>} onClose={onClose}>
      <div className={c("scroll")}>
        {lobby}
        <RaisedHands call={call} />
        <MeetingControls call={call} />
        <Roster {...props} onRemove={setRemoving} />
      </div>
      <div className={c("invite")}>{invite}</div>
      <RemoveDialog call={call} person={removing} onClose={() => setRemoving(undefined)} />
    </SidePanel>
  );
}

interface RosterProps extends PeoplePanelProps {
  readonly onRemove: (person: ParticipantSnapshot) => void;
}

function Roster({ call, pinned, onPin, onRemove }: RosterProps): JSX.Element {
  const { t } = useLingui();
  const others = useSnapshot(call, (snapshot) => snapshot.others);
  const ownRole = useSnapshot(call, ({ self }) => self.role);
  const { unverified, proved } = rosterOf(others);
  const draw = (person: ParticipantSnapshot): JSX.Element => (
    <PersonRow
      key={person.id}
      call={call}
      person={person}
      ownRole={ownRole}
      isPinned={person.id === pinned}
      onPin={onPin}
      onRemove={onRemove}
    />
  );
  return (
    <>
      <ul className={c("list")} aria-label={t`You`}>
        <SelfRow call={call} />
      </ul>
      <Group title={t`Names not verified (${unverified.length})`} people={unverified} draw={draw} />
      <Group title={t`Proved (${proved.length})`} people={proved} draw={draw} />
    </>
  );
}

interface GroupProps {
  readonly title: string;
  readonly people: readonly ParticipantSnapshot[];
  readonly draw: (person: ParticipantSnapshot) => JSX.Element;
}

function Group({ title, people, draw }: GroupProps): JSX.Element | null {
  if (people.length === 0) return null;
  return (
    <div className={c("group")}>
      <h3 className={c("groupTitle")}>{title}</h3>
      <ul className={c("list")} aria-label={title}>
        {people.map(draw)}
      </ul>
    </div>
  );
}
