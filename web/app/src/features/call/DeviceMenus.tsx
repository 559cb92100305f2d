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
          selected={selected}
          onSelect={(id) => call.selectMicrophone(String(id))}
        >
          {devices.length === 0 ? (
            <MenuItem id="none" text={t`No microphone`} isDisabled />
          ) : (
            choices(devices).map(({ id, text }) => <MenuItem key={id} id={id} text={text} />)
          )}
        </MenuSection>
        {speakers.length === 0 ? null : (
          <MenuSection
            title={t`Loudspeaker`}
            selected={speaker ?? speakers[0]?.deviceId}
            onSelect={(id) => {
              setSpeaker(String(id));
              call.selectSpeaker(String(id));
            }}
          >
            {choices(speakers).map(({ id, text }) => (
              <MenuItem key={id} id={id} text={text} />
            ))}
          </MenuSection>
        )}
      </Menu>
    </MenuTrigger>
  );
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
