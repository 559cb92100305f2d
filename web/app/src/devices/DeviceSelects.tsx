import type { CallCommands, DeviceChoice } from "@conclave/client";
import { Button, type Choice, classes, LevelMeter, Select } from "@conclave/ui";
import { Trans, useLingui } from "@lingui/react/macro";
import { Mic, Play, Video, Volume2 } from "lucide-react";
import { type JSX, useCallback, useState } from "react";
import { useSnapshot } from "../useSnapshot";
import styles from "./DeviceSelects.module.css";

const c = classes(styles);

export interface DeviceSelectsProps {
  readonly call: CallCommands;
  /** One below the other, or side by side where there is room. */
  readonly arrange: "column" | "row";
}

/** Which microphone, which camera, which loudspeaker; with a meter and a test. */
export function DeviceSelects({ call, arrange }: DeviceSelectsProps): JSX.Element {
  const { t } = useLingui();
  const microphone = useSnapshot(call, (snapshot) => snapshot.self.microphone);
  const camera = useSnapshot(call, (snapshot) => snapshot.self.camera);
  const level = useCallback(() => call.microphoneLevel(), [call]);
  const choices = useChoices();
  return (
    <div className={c("selects", arrange === "row" && "row")}>
      <div className={c("one")}>
        <Select
          label={t`Microphone`}
          icon={<Mic size={18} aria-hidden />}
          choices={choices(microphone.devices)}
          selected={microphone.selected}
          onSelect={(id) => call.selectMicrophone(id)}
          placeholder={t`No microphone`}
          isDisabled={microphone.devices.length === 0}
        />
        <LevelMeter label={t`Level of your microphone`} read={level} />
      </div>
      <Select
        label={t`Camera`}
        icon={<Video size={18} aria-hidden />}
        choices={choices(camera.devices)}
        selected={camera.selected}
        onSelect={(id) => call.selectCamera(id)}
        placeholder={t`No camera`}
        isDisabled={camera.devices.length === 0}
      />
      <SpeakerSelect call={call} />
    </div>
  );
}

function SpeakerSelect({ call }: { readonly call: CallCommands }): JSX.Element {
  const { t } = useLingui();
  const choices = useChoices();
  // Loudspeakers become known with the microphone's permission.
  useSnapshot(call, (snapshot) => snapshot.self.microphone);
  const speakers = call.speakers();
  const [selected, setSelected] = useState<string>();
  const test = (
    <Button
      variant="quiet"
      icon={<Play size={18} aria-hidden />}
      onPress={() => call.testSpeaker()}
    >
      <Trans>Play a sound</Trans>
    </Button>
  );
  if (speakers.length === 0) return <div className={c("test")}>{test}</div>;
  return (
    <div className={c("one")}>
      <Select
        label={t`Loudspeaker`}
        icon={<Volume2 size={18} aria-hidden />}
        choices={choices(speakers)}
        selected={selected ?? speakers[0]?.deviceId}
        onSelect={(id) => {
          setSelected(id);
          call.selectSpeaker(id);
        }}
        placeholder={t`Default`}
      />
      <div className={c("test")}>{test}</div>
    </div>
  );
}

/** Turns devices into choices; one without a name gets a number. */
export function useChoices(): (devices: readonly DeviceChoice[]) => readonly Choice[] {
  const { t } = useLingui();
  return (devices) =>
    devices.map(({ deviceId, label }, at) => {
      const number = at + 1;
      return { id: deviceId, text: label === "" ? t`Device ${number}` : label };
    });
}
