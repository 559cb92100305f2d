import { useLingui } from "@lingui/react/macro";

/** How people are called in the interface: one without a name is still somebody. */
export function useNameOf(): (name: string) => string {
  const { t } = useLingui();
  return (name) => (name === "" ? t`Guest` : name);
}
