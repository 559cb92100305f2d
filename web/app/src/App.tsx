import { type CreatedMeeting, keepLink, type MeetingLink } from "@conclave/client";
import { Announcer, LocaleProvider } from "@conclave/ui";
import { i18n } from "@lingui/core";
import { I18nProvider } from "@lingui/react";
import { type JSX, lazy, Suspense, useEffect, useState } from "react";
import { type Engine, EngineContext } from "./engine";
import { HomeView } from "./features/home/HomeView";
import { activate } from "./i18n/catalogues";
import { languageInfo } from "./i18n/languages";
import { ProtectionLine } from "./layout/ProtectionLine";
import { SiteHeader } from "./layout/SiteHeader";
import { WaitView } from "./meeting/WaitView";
import { navigate, usePath } from "./navigation";
import { effectiveLanguage, usePreferences } from "./preferences";

const MeetingPage = lazy(async () => ({
  default: (await import("./meeting/MeetingPage")).MeetingPage,
}));

/** The whole interface. The first language is loaded before it is drawn. */
export function App({ engine }: { readonly engine: Engine }): JSX.Element {
  const language = effectiveLanguage(usePreferences());
  useEffect(() => {
    if (i18n.locale !== language) void activate(language);
  }, [language]);
  return (
    <I18nProvider i18n={i18n}>
      <LocaleProvider locale={languageInfo(language).locale}>
        <EngineContext value={engine}>
          <Announcer>
            <Routes />
          </Announcer>
        </EngineContext>
      </LocaleProvider>
    </I18nProvider>
  );
}

function Routes(): JSX.Element {
  const path = usePath();
  // Its host link is in no storage: a reload forgets it.
  const [created, setCreated] = useState<CreatedMeeting>();
  const enter = (link: MeetingLink): void => {
    keepLink(link, sessionStorage);
    navigate(`/m/${link.id}`);
  };
  if (path.startsWith("/m/")) {
    return (
      <Suspense fallback={<WaitView />}>
        <MeetingPage
          key={path}
          hostLink={path === `/m/${created?.link.id}` ? created?.hostLink : undefined}
        />
      </Suspense>
    );
  }
  return (
    <HomeView
      header={<SiteHeader />}
      notice={<ProtectionLine />}
      onEnter={enter}
      onCreated={(meeting) => {
        setCreated(meeting);
        enter(meeting.link);
      }}
    />
  );
}
