// biome-ignore-all lint/style/noDefaultExport: so do the files that it declares.
// React Aria's own declarations of these files export a type where the files export a value.

type ReactAriaWord = string | ((values: unknown, formatter: unknown) => string);
type ReactAriaWords = Readonly<Record<string, Readonly<Record<string, ReactAriaWord>>>>;

declare module "react-aria-components/i18n/de-DE" {
  const words: ReactAriaWords;
  export default words;
}

declare module "react-aria-components/i18n/en-US" {
  const words: ReactAriaWords;
  export default words;
}

declare module "react-aria-components/i18n/fr-FR" {
  const words: ReactAriaWords;
  export default words;
}

declare module "react-aria-components/i18n/zh-TW" {
  const words: ReactAriaWords;
  export default words;
}
