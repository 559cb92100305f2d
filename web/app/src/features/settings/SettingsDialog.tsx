import type { CallCommands } from "@conclave/client";
import { classes, Dialog, Segments, Select } from "@conclave/ui";
import { useLingui } from "@lingui/react/macro";
import { Languages } from "lucide-react";
import type { JSX } from "react";
import { DeviceSelects } from "../../devices/DeviceSelects";
import { LANGUAGES, languageOf } from "../../i18n/languages";
import { effectiveLanguage, setPreferences, usePreferences } from "../../preferences";
import styles from "./SettingsDialog.module.css";
import { THEMES } from "./themes";

const c = classes(styles);

export interface SettingsDialogProps {
  readonly call: CallCommands;
  readonly isOpen: boolean;
  readonly onClose: () => void;
}

/** Devices, appearance, language and keys, during a call. */
export function SettingsDialog({ call, isOpen, onClose }: SettingsDialogProps): JSX.Element {
  const { t } = useLingui();
  const current = usePreferences();
  return (
    <Dialog isOpen={isOpen} onClose={onClose} title={t`Settings`} closeLabel={t`Close`}>
      <div className={c("groups")}>
        <DeviceSelects call={call} arrange="column" />
        <hr className={c("rule")} />
        <Segments
          label={t`Appearance`}
          choices={THEMES.map(({ id, text, Icon }) => ({
            id,
            text: t(text),
            icon: <Icon size={18} aria-hidden />,
          }))}
          selected={current.theme}
          onSelect={(id) => {
            const chosen = THEMES.find((theme) => theme.id === id);
            if (chosen !== undefined) setPreferences({ theme: chosen.id });
          }}
        />
        <Select
          label={t`Language`}
          icon={<Languages size={18} aria-hidden />}
          choices={LANGUAGES.map(({ id, name }) => ({ id, text: name, lang: id }))}
          selected={effectiveLanguage(current)}
          onSelect={(id) => setPreferences({ language: languageOf(id) })}
          placeholder={t`Language`}
        />
        <Segments
          label={t`Keyboard shortcuts`}
          choices={[
            { id: "on", text: t`On` },
            { id: "off", text: t`Off` },
          ]}
          selected={current.shortcuts ? "on" : "off"}
          onSelect={(id) => setPreferences({ shortcuts: id === "on" })}
        />
      </div>
    </Dialog>
  );
}
