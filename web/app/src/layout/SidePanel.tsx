import { classes, IconButton } from "@conclave/ui";
import { useLingui } from "@lingui/react/macro";
import { X } from "lucide-react";
import { type JSX, type ReactNode, useEffect, useId, useRef } from "react";
import styles from "./SidePanel.module.css";

const c = classes(styles);

export interface SidePanelProps {
  readonly title: ReactNode;
  readonly onClose: () => void;
  /** Whether its own content takes the focus instead of the button that closes it. */
  readonly ownFocus?: boolean;
  readonly children: ReactNode;
}

/**
 * A panel beside the stage: title, a way to close it (Escape too), and what belongs to it. The
 * focus goes back to where it was when the panel goes.
 */
export function SidePanel({
  title,
  onClose,
  ownFocus = false,
  children,
}: SidePanelProps): JSX.Element {
  const { t } = useLingui();
  const id = useId();
  useFocusReturn();
  return (
    <section
      className={c("panel")}
      aria-labelledby={id}
      onKeyDown={(event) => {
        if (event.key === "Escape" && !event.defaultPrevented) onClose();
      }}
    >
      <div className={c("head")}>
        <h2 className={c("title")} id={id}>
          {title}
        </h2>
        <IconButton label={t`Close`} onPress={onClose} autoFocus={!ownFocus}>
          <X size={20} aria-hidden />
        </IconButton>
      </div>
      {children}
    </section>
  );
}

function useFocusReturn(): void {
  const before = useRef<Element | null>(null);
  // While it is first drawn: something in it takes the focus right after.
  if (before.current === null) before.current = document.activeElement;
  useEffect(
    () => () => {
      const element = before.current;
      if (element instanceof HTMLElement && element.isConnected) element.focus();
    },
    [],
  );
}
