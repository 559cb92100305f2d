import { IconButton, Menu, MenuItem, MenuSection, MenuTrigger } from "@conclave/ui";
import { useLingui } from "@lingui/react/macro";
import { SunMoon } from "lucide-react";
import type { JSX } from "react";
import { setPreferences, usePreferences } from "../../preferences";
import { THEMES } from "./themes";

/** Switches between light and dark. */
export function ThemeMenu(): JSX.Element {
  const { t } = useLingui();
  const { theme } = usePreferences();
  const label = t`Appearance`;
  const Current = THEMES.find((one) => one.id === theme)?.Icon ?? SunMoon;
  return (
    <MenuTrigger>
      <IconButton label={label}>
        <Current size={20} aria-hidden />
      </IconButton>
      <Menu label={label} placement="bottom end">
        <MenuSection
          title={label}
          selected={theme}
          onSelect={(key) => {
            const chosen = THEMES.find((one) => one.id === key);
            if (chosen !== undefined) setPreferences({ theme: chosen.id });
          }}
        >
          {THEMES.map(({ id, text, Icon }) => (
            <MenuItem key={id} id={id} text={t(text)} icon={<Icon size={18} />} />
          ))}
        </MenuSection>
      </Menu>
    </MenuTrigger>
  );
}
