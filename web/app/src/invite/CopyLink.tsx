import { Button, classes, useAnnounce } from "@conclave/ui";
import { useLingui } from "@lingui/react/macro";
import { Check, Copy } from "lucide-react";
import { type JSX, useEffect, useRef } from "react";
import styles from "./CopyLink.module.css";
import { useCopy } from "./useCopy";

const c = classes(styles);

export interface CopyLinkProps {
  /** The guests' link: never with what makes a host. */
  readonly link: string;
  readonly prominent?: boolean;
  /** Only the button, as wide as its place, where there is little room. */
  readonly compact?: boolean;
}

/**
 * The meeting's link and a button that copies it.
 *
 * The field shows the address without its key: a screen is shared or photographed sooner than a
 * clipboard. Where copying is refused, the whole link appears, selected, to be copied by hand.
 */
export function CopyLink({ link, prominent = false, compact = false }: CopyLinkProps): JSX.Element {
  const { t } = useLingui();
  const announce = useAnnounce();
  const [state, copy] = useCopy(link, () => announce(t`Link copied`));
  const field = useRef<HTMLInputElement>(null);

  useEffect(() => {
    if (state === "refused") field.current?.select();
  }, [state]);

  const shown = link.slice(0, link.indexOf("#") + 1);
  return (
    <div className={c("copy")}>
      {compact && state !== "refused" ? null : (
        <input
          ref={field}
          className={c("link")}
          readOnly
          aria-label={t`Link to this meeting`}
          value={state === "refused" ? link : `${shown}•••`}
          onFocus={(event) => event.currentTarget.select()}
          onCopy={(event) => {
            event.preventDefault();
            event.clipboardData.setData("text/plain", link);
          }}
        />
      )}
      <Button
        wide={compact}
        variant={prominent ? "primary" : "secondary"}
        icon={state === "copied" ? <Check size={18} aria-hidden /> : <Copy size={18} aria-hidden />}
        onPress={copy}
      >
        {state === "copied" ? t`Copied` : t`Copy invitation link`}
      </Button>
    </div>
  );
}
