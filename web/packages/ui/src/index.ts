/**
 * The house's own widgets: React Aria wrapped once, drawn with the tokens of `tokens.css`.
 * Words come in by props; nothing here knows a language or a call.
 * @module
 */

export { type Announce, Announcer, useAnnounce } from "./Announcer";
export { Avatar, type AvatarProps } from "./Avatar";
export { initialsOf, toneOf } from "./avatarFace";
export {
  Button,
  type ButtonProps,
  type ButtonVariant,
  IconButton,
  type IconButtonProps,
} from "./Button";
export { Callout, type CalloutProps, type CalloutTone } from "./Callout";
export { Chip, type ChipProps, type ChipTone } from "./Chip";
export {
  ControlBadge,
  ControlButton,
  type ControlButtonProps,
  ControlSplit,
  ControlToggle,
  type ControlToggleProps,
  type ControlTone,
} from "./Control";
export { type ClassPart, classes } from "./classes";
export { Dialog, type DialogProps } from "./Dialog";
export {
  type Choice,
  Segments,
  type SegmentsProps,
  Select,
  type SelectProps,
  TextField,
  type TextFieldProps,
} from "./Field";
export { LevelMeter, type LevelMeterProps } from "./LevelMeter";
export { LocaleProvider, type LocaleProviderProps } from "./LocaleProvider";
export { Logo, LogoMark } from "./Logo";
export {
  DialogTrigger,
  Menu,
  MenuItem,
  type MenuItemProps,
  MenuSection,
  MenuTrigger,
  PopoverCard,
} from "./Menu";
export { Switch, type SwitchProps } from "./Switch";
export { Tooltip, type TooltipProps } from "./Tooltip";
export { VisuallyHidden } from "./VisuallyHidden";
