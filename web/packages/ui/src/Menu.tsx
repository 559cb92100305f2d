import { Check } from "lucide-react";
import type { JSX, ReactNode } from "react";
import {
  Dialog as AriaDialog,
  Menu as AriaMenu,
  MenuItem as AriaMenuItem,
  type MenuProps as AriaMenuProps,
  MenuSection as AriaMenuSection,
  Popover as AriaPopover,
  Header,
  type Key,
  type PopoverProps,
} from "react-aria-components";
import { classes } from "./classes";
import styles from "./Menu.module.css";

export { DialogTrigger, MenuTrigger } from "react-aria-components";

const c = classes(styles);

export interface MenuProps extends Omit<AriaMenuProps<object>, "className" | "style"> {
  /** Names the menu. */
  readonly label: string;
  readonly placement?: NonNullable<PopoverProps["placement"]>;
}

/** A menu in its popover; goes into a `MenuTrigger` after its button. */
export function Menu({ label, placement = "top", ...props }: MenuProps): JSX.Element {
  return (
    <AriaPopover className={c("popover")} placement={placement} offset={10} containerPadding={12}>
      <AriaMenu {...props} aria-label={label} className={c("menu")} />
    </AriaPopover>
  );
}

export interface MenuSectionProps {
  readonly title: string;
  /** The chosen one of a section from which one is chosen. */
  readonly selected?: Key | undefined;
  readonly onSelect?: (key: Key) => void;
  readonly children: ReactNode;
}

/** A titled group of items; with `onSelect`, one of them is the chosen one. */
export function MenuSection({
  title,
  selected,
  onSelect,
  children,
}: MenuSectionProps): JSX.Element {
  const choice =
    onSelect === undefined
      ? {}
      : {
          selectionMode: "single" as const,
          disallowEmptySelection: true,
          selectedKeys: selected === undefined ? [] : [selected],
          onSelectionChange: (keys: "all" | Set<Key>): void => {
            if (keys === "all") return;
            for (const key of keys) onSelect(key);
          },
        };
  return (
    <AriaMenuSection {...choice} className={c("section")}>
      <Header className={c("header")}>{title}</Header>
      {children}
    </AriaMenuSection>
  );
}

export interface MenuItemProps {
  readonly id: Key;
  /** The words alone, for type-ahead and for screen readers. */
  readonly text: string;
  readonly icon?: ReactNode;
  readonly detail?: string;
  readonly isDisabled?: boolean;
  /** BCP 47 tag of the text, where it is not in the interface's language. */
  readonly lang?: string;
  readonly onAction?: () => void;
}

/** One thing to do or to choose. */
export function MenuItem({
  id,
  text,
  icon,
  detail,
  isDisabled,
  lang,
  onAction,
}: MenuItemProps): JSX.Element {
  return (
    <AriaMenuItem
      id={id}
      textValue={text}
      className={c("item")}
      {...(isDisabled === undefined ? {} : { isDisabled })}
      {...(onAction === undefined ? {} : { onAction })}
    >
      {({ isSelected }) => (
        <>
          <span className={c("icon")} aria-hidden>
            {isSelected ? <Check size={18} /> : icon}
          </span>
          <span lang={lang}>
            {text}
            {detail === undefined ? null : <span className={c("detail")}>{detail}</span>}
          </span>
        </>
      )}
    </AriaMenuItem>
  );
}

export interface PopoverCardProps {
  readonly label: string;
  readonly placement?: NonNullable<PopoverProps["placement"]>;
  readonly children: ReactNode;
}

/** A few words beside a button; goes into a `DialogTrigger` after it. */
export function PopoverCard({
  label,
  placement = "bottom",
  children,
}: PopoverCardProps): JSX.Element {
  return (
    <AriaPopover className={c("popover")} placement={placement} offset={10} containerPadding={12}>
      <AriaDialog className={c("padded")} aria-label={label}>
        {children}
      </AriaDialog>
    </AriaPopover>
  );
}
