import type { CallCommands, DeviceSnapshot } from "@conclave/client";
import {
  ControlBadge,
  ControlButton,
  ControlSplit,
  ControlToggle,
  classes,
  Menu,
  MenuItem,
  MenuSection,
  MenuTrigger,
} from "@conclave/ui";
import type { MuteWhat } from "@conclave/wire";
import { useLingui } from "@lingui/react/macro";
import {
  Ellipsis,
  Keyboard,
  LogOut,
  Mic,
  MicOff,
  PinOff,
  ScreenShare,
  ScreenShareOff,
  Settings,
  UsersRound,
  Video,
  VideoOff,
} from "lucide-react";
import type { JSX, ReactNode } from "react";
import { useNarrow } from "../../useNarrow";
import { useSnapshot } from "../../useSnapshot";
import styles from "./ControlBar.module.css";
import { CameraMenu, SoundMenu } from "./DeviceMenus";
import { LAYOUT_MODES, type LayoutMode, type LayoutWish } from "./layoutWish";
import { LAYOUT_WORDS } from "./layoutWords";

const c = classes(styles);

/** A panel beside the stage. */
export type PanelKind = "people" | "chat";

/** What opens and closes around the stage. */
export interface Surroundings {
  readonly layout: LayoutWish;
  readonly onMode: (mode: LayoutMode) => void;
  readonly onUnpin: () => void;
  /** The panel that is open beside the stage: one at most. */
  readonly panel: PanelKind | undefined;
  readonly onPanel: (panel: PanelKind | undefined) => void;
  readonly onSettings: () => void;
  readonly onHelp: () => void;
  /** Somebody pressed a device that cannot be switched on: say why. */
  readonly onBlocked: () => void;
  /** Hands and reactions. */
  readonly reactionControls: ReactNode;
  /** What opens the chat. */
  readonly chatControl: ReactNode;
}

export interface ControlBarProps extends Surroundings {
  readonly call: CallCommands;
}

/** What one does in a call, always in sight. */
export function ControlBar(props: ControlBarProps): JSX.Element {
  const { call } = props;
  const { t } = useLingui();
  const narrow = useNarrow();
  return (
    <footer className={c("bar")}>
      <fieldset className={c("middle")} aria-label={t`Call controls`}>
        <MicrophoneControl {...props} withMenu={!narrow} />
        <CameraControl {...props} withMenu={!narrow} />
        {narrow ? null : <ShareControl call={call} />}
        {props.reactionControls}
        {narrow ? null : <LayoutControl {...props} />}
        {props.chatControl}
        <PeopleControl {...props} />
        <MoreControl {...props} withAll={narrow} />
        <div className={c("leave")}>
          <ControlButton
            label={t`Leave the meeting`}
            caption={t`Leave`}
            tone="end"
            icon={<LogOut size={22} aria-hidden />}
            onPress={() => call.leave()}
          />
        </div>
      </fieldset>
    </footer>
  );
}

interface DeviceControlProps extends ControlBarProps {
  readonly withMenu: boolean;
}

function isOn({ state }: DeviceSnapshot): boolean {
  return state.kind === "on" || state.kind === "starting";
}

/** Whether a host has forbidden this person to send something. */
function useForbidden(call: CallCommands, what: MuteWhat): boolean {
  return useSnapshot(call, ({ self }) => self.forbidden.includes(what));
}

function MicrophoneControl({ call, onBlocked, withMenu }: DeviceControlProps): JSX.Element {
  const { t } = useLingui();
  const device = useSnapshot(call, (snapshot) => snapshot.self.microphone);
  const on = isOn(device);
  const isBlocked = device.state.kind === "blocked";
  const isForbidden = useForbidden(call, "microphone");
  const toggle = (
    <ControlToggle
      label={
        isForbidden
          ? t`Microphone, switched off by a host`
          : isBlocked
            ? t`Microphone, not available`
            : t`Microphone`
      }
      caption={t`Microphone`}
      hint={isForbidden ? t`Switched off by a host` : on ? t`Mute` : t`Unmute`}
      keys="M"
      isOn={on}
      onChange={(want) => {
        call.setMicrophone(want);
        if (isBlocked) onBlocked();
      }}
      tone={on ? "neutral" : "off"}
      icon={on ? <Mic size={22} aria-hidden /> : <MicOff size={22} aria-hidden />}
      badge={isBlocked || isForbidden ? <ControlBadge alert text="!" /> : undefined}
    />
  );
  if (!withMenu) return toggle;
  return (
    <ControlSplit>
      {toggle}
      <SoundMenu call={call} />
    </ControlSplit>
  );
}

function CameraControl({ call, onBlocked, withMenu }: DeviceControlProps): JSX.Element {
  const { t } = useLingui();
  const device = useSnapshot(call, (snapshot) => snapshot.self.camera);
  const on = isOn(device);
  const isBlocked = device.state.kind === "blocked";
  const isForbidden = useForbidden(call, "camera");
  const toggle = (
    <ControlToggle
      label={
        isForbidden
          ? t`Camera, switched off by a host`
          : isBlocked
            ? t`Camera, not available`
            : t`Camera`
      }
      caption={t`Camera`}
      hint={
        isForbidden
          ? t`Switched off by a host`
          : on
            ? t`Switch the camera off`
            : t`Switch the camera on`
      }
      keys="V"
      isOn={on}
      onChange={(want) => {
        call.setCamera(want);
        if (isBlocked) onBlocked();
      }}
      tone={on ? "neutral" : "off"}
      icon={on ? <Video size={22} aria-hidden /> : <VideoOff size={22} aria-hidden />}
      badge={isBlocked || isForbidden ? <ControlBadge alert text="!" /> : undefined}
    />
  );
  if (!withMenu) return toggle;
  return (
    <ControlSplit>
      {toggle}
      <CameraMenu call={call} />
    </ControlSplit>
  );
}

function ShareControl({ call }: { readonly call: CallCommands }): JSX.Element | null {
  const { t } = useLingui();
  const kind = useSnapshot(call, (snapshot) => snapshot.self.screen.kind);
  const isForbidden = useForbidden(call, "screen");
  if (kind === "unsupported") return null;
  const on = kind === "on";
  return (
    <ControlToggle
      label={isForbidden ? t`Share your screen, forbidden by a host` : t`Share your screen`}
      caption={t`Share`}
      hint={isForbidden ? t`Forbidden by a host` : on ? t`Stop sharing` : t`Share your screen`}
      keys="S"
      isOn={on || kind === "starting"}
      onChange={(want) => (want ? call.startScreen() : call.stopScreen())}
      tone={on ? "active" : "neutral"}
      icon={on ? <ScreenShareOff size={22} aria-hidden /> : <ScreenShare size={22} aria-hidden />}
      badge={isForbidden ? <ControlBadge alert text="!" /> : undefined}
    />
  );
}

function LayoutControl({ layout, onMode, onUnpin }: ControlBarProps): JSX.Element {
  const { t } = useLingui();
  const { Icon } = LAYOUT_WORDS[layout.mode];
  return (
    <MenuTrigger>
      <ControlButton
        label={t`Layout`}
        caption={t`Layout`}
        keys="L"
        icon={<Icon size={22} aria-hidden />}
      />
      <Menu label={t`Layout`}>
        {layoutSection({ t, title: t`Layout`, layout, onMode, onUnpin })}
      </Menu>
    </MenuTrigger>
  );
}

interface LayoutSectionProps extends Pick<Surroundings, "layout" | "onMode" | "onUnpin"> {
  readonly title: string;
  readonly t: ReturnType<typeof useLingui>["t"];
}

/** A function, not a component: React Aria looks at a menu's children themselves. */
function layoutSection({ t, title, layout, onMode, onUnpin }: LayoutSectionProps): JSX.Element {
  return (
    <MenuSection
      title={title}
      selected={layout.pin === undefined ? layout.mode : undefined}
      onSelect={(key) => {
        const mode = LAYOUT_MODES.find((one) => one === key);
        if (mode !== undefined) onMode(mode);
        onUnpin();
      }}
    >
      {LAYOUT_MODES.map((mode) => {
        const { name, detail, Icon } = LAYOUT_WORDS[mode];
        return (
          <MenuItem
            key={mode}
            id={mode}
            text={t(name)}
            detail={t(detail)}
            icon={<Icon size={18} />}
          />
        );
      })}
    </MenuSection>
  );
}

function PeopleControl({ call, panel, onPanel }: ControlBarProps): JSX.Element {
  const { t } = useLingui();
  const isOpen = panel === "people";
  const count = useSnapshot(call, ({ others }) => others.length + 1);
  const knocks = useSnapshot(call, ({ group }) => group.knocks.length);
  const label =
    knocks === 0
      ? t`People, ${count} in the call`
      : t`People, ${count} in the call, ${knocks} asking to come in`;
  return (
    <ControlToggle
      label={label}
      caption={t`People`}
      hint={t`People`}
      keys="P"
      isOn={isOpen}
      onChange={(open) => onPanel(open ? "people" : undefined)}
      tone={isOpen ? "active" : "neutral"}
      icon={<UsersRound size={22} aria-hidden />}
      badge={
        knocks === 0 ? (
          <ControlBadge text={String(count)} />
        ) : (
          <ControlBadge alert text={`+${knocks}`} />
        )
      }
    />
  );
}

interface MoreControlProps extends ControlBarProps {
  /** Also what has a place of its own where there is more room. */
  readonly withAll: boolean;
}

function MoreControl(props: MoreControlProps): JSX.Element {
  const { call, layout, onUnpin, onSettings, onHelp, withAll } = props;
  const { t } = useLingui();
  const screen = useSnapshot(call, (snapshot) => snapshot.self.screen.kind);
  return (
    <MenuTrigger>
      <ControlButton label={t`More`} caption={t`More`} icon={<Ellipsis size={22} aria-hidden />} />
      <Menu label={t`More`}>
        {withAll ? layoutSection({ t, title: t`Layout`, ...props }) : null}
        <MenuSection title={t`This call`}>
          {layout.pin === undefined ? null : (
            <MenuItem id="unpin" text={t`Unpin`} icon={<PinOff size={18} />} onAction={onUnpin} />
          )}
          {withAll && screen !== "unsupported" ? (
            <MenuItem
              id="share"
              text={screen === "on" ? t`Stop sharing` : t`Share your screen`}
              icon={screen === "on" ? <ScreenShareOff size={18} /> : <ScreenShare size={18} />}
              onAction={() => (screen === "on" ? call.stopScreen() : call.startScreen())}
            />
          ) : null}
          <MenuItem
            id="settings"
            text={t`Settings`}
            icon={<Settings size={18} />}
            onAction={onSettings}
          />
          <MenuItem
            id="help"
            text={t`Keyboard shortcuts`}
            icon={<Keyboard size={18} />}
            onAction={onHelp}
          />
        </MenuSection>
      </Menu>
    </MenuTrigger>
  );
}
