import { X } from "lucide-react";
import type { JSX, ReactNode } from "react";
import { Dialog as AriaDialog, Heading, Modal, ModalOverlay } from "react-aria-components";
import { IconButton } from "./Button";
import { classes } from "./classes";
import styles from "./Dialog.module.css";

const c = classes(styles);

export interface DialogProps {
  readonly isOpen: boolean;
  readonly onClose: () => void;
  readonly title: string;
  readonly closeLabel: string;
  /** It is more to read than to press: the keyboard can scroll it. */
  readonly isText?: boolean;
  readonly children: ReactNode;
}

/** A modal dialog: in the middle of the window, or risen from its bottom on a phone. */
export function Dialog({
  isOpen,
  onClose,
  title,
  closeLabel,
  isText = false,
  children,
}: DialogProps): JSX.Element {
  return (
    <ModalOverlay
      isOpen={isOpen}
      onOpenChange={(open) => {
        if (!open) onClose();
      }}
      isDismissable
      className={c("overlay")}
    >
      <Modal className={c("modal")}>
        <AriaDialog className={c("dialog")}>
          <div className={c("head")}>
            <Heading slot="title" level={2} className={c("title")}>
              {title}
            </Heading>
            <IconButton label={closeLabel} onPress={onClose}>
              <X size={20} aria-hidden />
            </IconButton>
          </div>
          <div className={c("body")} {...(isText ? { tabIndex: 0 } : {})}>
            {children}
          </div>
        </AriaDialog>
      </Modal>
    </ModalOverlay>
  );
}
