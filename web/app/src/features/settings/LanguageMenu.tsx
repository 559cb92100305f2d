import { Button, IconButton, Menu, MenuItem, MenuSection, MenuTrigger } from "@conclave/ui";
import { useLingui } from "@lingui/react/macro";
import { Languages } from "lucide-react";
import type { JSX } from "react";
import { LANGUAGES, languageInfo, languageOf } from "../../i18n/languages";
import { effectiveLanguage, setPreferences, usePreferences } from "../../preferences";
import { useNarrow } from "../../useNarrow";

/** Switches the interface's language; each is named in itself. */
export function LanguageMenu(): JSX.Element {
  const { t } = useLingui();
  const narrow = useNarrow();
  const selected = effectiveLanguage(usePreferences());
  const label = t`Language`;
  const icon = <Languages size={20} aria-hidden />;
  const { name } = languageInfo(selected);
  return (
    <MenuTrigger>
      {narrow ? (
        <IconButton label={`${label}: ${name}`}>{icon}</IconButton>
      ) : (
        <Button variant="quiet" icon={icon} aria-label={`${label}: ${name}`}>
          {name}
        </Button>
      )}
      <Menu label={label} placement="bottom end">
        <MenuSection
          title={label}
          selected={selected}
          onSelect={(key) => setPreferences({ language: languageOf(String(key)) })}
        >
          {LANGUAGES.map((language) => (
            <MenuItem key={language.id} id={language.id} text={language.name} lang={language.id} />
          ))}
        </MenuSection>
      </Menu>
    </MenuTrigger>
  );
}
