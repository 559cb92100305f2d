import { UserRound } from "lucide-react";
import type { CSSProperties, JSX } from "react";
import styles from "./Avatar.module.css";
import { initialsOf, toneOf } from "./avatarFace";
import { classes } from "./classes";

const c = classes(styles);

export interface AvatarProps {
  readonly name: string;
  /** CSS length; 2.5rem if not given. */
  readonly size?: string;
}

/** Initials on a colour that belongs to the name. Decoration: the name stands beside it. */
export function Avatar({ name, size }: AvatarProps): JSX.Element {
  const initials = initialsOf(name);
  const style = {
    "--tone": toneOf(name),
    ...(size === undefined ? {} : { "--size": size }),
  } as CSSProperties;
  return (
    <span className={c("avatar")} style={style} aria-hidden>
      {initials === "" ? <UserRound size="55%" /> : initials}
    </span>
  );
}
