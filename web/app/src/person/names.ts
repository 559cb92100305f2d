import { useLingui } from "@lingui/react/macro";
import { visibleLine } from "../text/visibleText";

/**
 * How people are called in the interface: one without a name is still somebody, and a name is one
 * line that turns nothing around it.
 */
export function useNameOf(): (name: string) => string {
  const { t } = useLingui();
  return (name) => visibleLine(name) || t`Guest`;
}
