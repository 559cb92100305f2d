import type { CallCommands } from "@conclave/client";
import { ControlButton, Menu, MenuItem, MenuSection, MenuTrigger } from "@conclave/ui";
import { useLingui } from "@lingui/react/macro";
import { ChevronUp } from "lucide-react";
import { type JSX, useState } from "react";
import { useChoices } from "../../devices/DeviceSelects";
import { useSnapshot } from "../../useSnapshot";

/** Beside the microphone: which one, and which loudspeaker. */
export function SoundMenu({ call }: { readonly call: CallCommands }): JSX.Element {
  const { t } = useLingui();
  const { devices, selected } = useSnapshot(call, (snapshot) => snapshot.self.microphone);
  const [speaker, setSpeaker] = useState<string>();
  const choices = useChoices();
  const speakers = call.speakers();
  const label = t`Microphone and loudspeaker`;
  return (
    <MenuTrigger>
      <ControlButton label={label} icon={<ChevronUp size={18} aria-hidden />} />
      <Menu label={label}>
        <MenuSection
          title={t`Microphone`}
          selected={selected === undefined ? undefined : keyOf("in", selected)}
          onSelect={(key) => call.selectMicrophone(idOf(String(key)))}
        >
          {devices.length === 0 ? (
            <MenuItem id="none" text={t`No microphone`} isDisabled />
          ) : (
            choices(devices).map(({ id, text }) => (
              <MenuItem key={id} id={keyOf("in", id)} text={text} />
            ))
          )}
        </MenuSection>
        {speakers.length === 0 ? null : (
          <MenuSection
            title={t`Loudspeaker`}
            selected={keyOf("out", speaker ?? speakers[0]?.deviceId ?? "")}
            onSelect={(key) => {
              const id = idOf(String(key));
              setSpeaker(id);
              call.selectSpeaker(id);
            }}
          >
            {choices(speakers).map(({ id, text }) => (
              <MenuItem key={id} id={keyOf("out", id)} text={text} />
            ))}
          </MenuSection>
        )}
      </Menu>
    </MenuTrigger>
  );
}

/** A microphone and a loudspeaker may have the same id, such as `default`; keys of a menu may not. */
function keyOf(direction: "in" | "out", deviceId: string): string {
  return `${direction}:${deviceId}`;
}

function idOf(key: string): string {
  return key.slice(key.indexOf(":") + 1);
}

/** Beside the camera: which one. */
export function CameraMenu({ call }: { readonly call: CallCommands }): JSX.Element {
  const { t } = useLingui();
  const { devices, selected } = useSnapshot(call, (snapshot) => snapshot.self.camera);
  const choices = useChoices();
  const label = t`Choose a camera`;
  return (
    <MenuTrigger>
      <ControlButton label={label} icon={<ChevronUp size={18} aria-hidden />} />
      <Menu label={label}>
        <MenuSection
          title={t`Camera`}
          selected={selected}
          onSelect={(id) => call.selectCamera(String(id))}
        >
          {devices.length === 0 ? (
            <MenuItem id="none" text={t`No camera`} isDisabled />
          ) : (
            choices(devices).map(({ id, text }) => <MenuItem key={id} id={id} text={text} />)
          )}
        </MenuSection>
      </Menu>
    </MenuTrigger>
  );
}
