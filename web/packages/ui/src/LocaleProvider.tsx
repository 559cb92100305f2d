import type { JSX, ReactNode } from "react";
import { I18nProvider } from "react-aria-components";
import { provideWidgetWords } from "./widgetStrings";

provideWidgetWords();

export interface LocaleProviderProps {
  /** BCP 47. */
  readonly locale: string;
  readonly children: ReactNode;
}

/** The language in which widgets name things and format numbers and dates. */
export function LocaleProvider({ locale, children }: LocaleProviderProps): JSX.Element {
  return <I18nProvider locale={locale}>{children}</I18nProvider>;
}
