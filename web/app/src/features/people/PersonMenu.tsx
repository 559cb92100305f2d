import type { CallCommands, ParticipantSnapshot, PersonId } from "@conclave/client";
import { IconButton, Menu, MenuItem, MenuSection, MenuTrigger, useAnnounce } from "@conclave/ui";
import type { MemberRole, MuteWhat } from "@conclave/wire";
import type { MessageDescriptor } from "@lingui/core";
import { msg } from "@lingui/core/macro";
import { useLingui } from "@lingui/react/macro";
import {
  Ban,
  CircleCheck,
  EllipsisVertical,
  MicOff,
  Pin,
  PinOff,
  UserMinus,
  UserRoundCheck,
  UserRoundCog,
  UserRoundX,
} from "lucide-react";
import type { JSX } from "react";
import { useNameOf } from "../../person/names";
import { mayAppoint, mayDirect, mayRemove } from "../../person/rights";

const SOURCES: readonly MuteWhat[] = ["microphone", "camera", "screen", "chat"];

const FORBID: Readonly<Record<MuteWhat, MessageDescriptor>> = {
  microphone: msg`Forbid the microphone`,
  camera: msg`Forbid the camera`,
  screen: msg`Forbid sharing the screen`,
  chat: msg`Forbid the chat`,
};

const ALLOW: Readonly<Record<MuteWhat, MessageDescriptor>> = {
  microphone: msg`Allow the microphone again`,
  camera: msg`Allow the camera again`,
  screen: msg`Allow sharing the screen again`,
  chat: msg`Allow the chat again`,
};

const APPOINT: readonly { readonly role: MemberRole; readonly text: MessageDescriptor }[] = [
  { role: "coHost", text: msg`Make co-host` },
  { role: "admitter", text: msg`Allow to let people in` },
  { role: "guest", text: msg`Take the role back` },
];

export interface PersonMenuProps {
  readonly call: CallCommands;
  readonly person: ParticipantSnapshot;
  /** The role of who looks at the menu. */
  readonly ownRole: MemberRole;
  readonly isPinned: boolean;
  readonly onPin: (id: PersonId | undefined) => void;
  readonly onRemove: (person: ParticipantSnapshot) => void;
}

/** What one may do about a person; nothing is offered that the meeting's rules refuse. */
export function PersonMenu(props: PersonMenuProps): JSX.Element {
  const { t } = useLingui();
  const name = useNameOf()(props.person.name);
  return (
    <MenuTrigger>
      <IconButton label={t`Options for ${name}`}>
        <EllipsisVertical size={18} aria-hidden />
      </IconButton>
      <Menu label={t`Options for ${name}`} placement="bottom end">
        {useViewSection(props)}
        {useRoleSection(props)}
        {useOrderSection(props)}
        {useRemoveSection(props)}
      </Menu>
    </MenuTrigger>
  );
}

// Hooks, not components: React Aria looks at a menu's children themselves.

function useViewSection({ person, isPinned, onPin }: PersonMenuProps): JSX.Element {
  const { t } = useLingui();
  return (
    <MenuSection title={t`On your screen`}>
      <MenuItem
        id="pin"
        text={isPinned ? t`Unpin` : t`Pin`}
        icon={isPinned ? <PinOff size={18} /> : <Pin size={18} />}
        onAction={() => onPin(isPinned ? undefined : person.id)}
      />
    </MenuSection>
  );
}

function useRoleSection({ call, person, ownRole }: PersonMenuProps): JSX.Element | null {
  const { t } = useLingui();
  const roles = APPOINT.filter(({ role }) => mayAppoint(ownRole, person.role, role));
  if (roles.length === 0) return null;
  return (
    <MenuSection title={t`Role`}>
      {roles.map(({ role, text }) => (
        <MenuItem
          key={role}
          id={role}
          text={t(text)}
          icon={
            role === "guest" ? (
              <UserRoundX size={18} />
            ) : role === "coHost" ? (
              <UserRoundCog size={18} />
            ) : (
              <UserRoundCheck size={18} />
            )
          }
          onAction={() => call.appoint(person.id, role)}
        />
      ))}
    </MenuSection>
  );
}

function useOrderSection({ call, person, ownRole }: PersonMenuProps): JSX.Element | null {
  const { t } = useLingui();
  const announce = useAnnounce();
  const name = useNameOf()(person.name);
  if (!mayDirect(ownRole, person.role)) return null;
  return (
    <MenuSection title={t`What they send`}>
      {person.muted ? null : (
        <MenuItem
          id="ask"
          text={t`Ask to mute`}
          icon={<MicOff size={18} />}
          onAction={() => {
            call.askToMute(person.id);
            announce(t`${name} was asked to mute`);
          }}
        />
      )}
      {SOURCES.map((what) => {
        const isForbidden = person.forbidden.includes(what);
        return (
          <MenuItem
            key={what}
            id={what}
            text={t(isForbidden ? ALLOW[what] : FORBID[what])}
            icon={isForbidden ? <CircleCheck size={18} /> : <Ban size={18} />}
            onAction={() => call.forbid(person.id, what, !isForbidden)}
          />
        );
      })}
    </MenuSection>
  );
}

function useRemoveSection({ person, ownRole, onRemove }: PersonMenuProps): JSX.Element | null {
  const { t } = useLingui();
  if (!mayRemove(ownRole, person.role) || person.leaving) return null;
  return (
    <MenuSection title={t`Meeting`}>
      <MenuItem
        id="remove"
        text={t`Remove from the meeting…`}
        icon={<UserMinus size={18} />}
        onAction={() => onRemove(person)}
      />
    </MenuSection>
  );
}
