import { classes, Logo } from "@conclave/ui";
import { useLingui } from "@lingui/react/macro";
import type { JSX } from "react";
import { LanguageMenu } from "../features/settings/LanguageMenu";
import { ThemeMenu } from "../features/settings/ThemeMenu";
import { navigate } from "../navigation";
import styles from "./SiteHeader.module.css";

const c = classes(styles);

/** Above every view but the call itself: the name, the language, the theme. */
export function SiteHeader(): JSX.Element {
  const { t } = useLingui();
  return (
    <header className={c("header")}>
      <a
        className={c("home")}
        href="/"
        aria-label={t`Conclave, home page`}
        onClick={(event) => {
          if (event.metaKey || event.ctrlKey || event.shiftKey) return;
          event.preventDefault();
          navigate("/");
        }}
      >
        <Logo />
      </a>
      <div className={c("tools")}>
        <LanguageMenu />
        <ThemeMenu />
      </div>
    </header>
  );
}
