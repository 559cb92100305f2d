/**
 * The reactions as pictures of our own: not every system has a font with emoji.
 * @module
 */

import type { Reaction } from "@conclave/wire";
import { Hand, Heart, ThumbsDown, ThumbsUp } from "lucide-react";
import type { JSX, ReactNode } from "react";

const SKIN = "#f4c453";
const LINE = "#5c3f0c";
const RED = "#e0523f";
const RED_LINE = "#7a1c10";

const PICTURES: Readonly<Record<Reaction, () => JSX.Element>> = {
  clap: Clap,
  heart: () => <Heart fill={RED} stroke={RED_LINE} strokeWidth={1.4} />,
  laugh: () => (
    <Face>
      <path d="M6.6 10.2q1.6-2 3.2 0M14.2 10.2q1.6-2 3.2 0" />
      <path d="M6.6 13.2h10.8a5.4 5.4 0 0 1-10.8 0Z" fill="#7a2a1c" />
      <path d="M9.2 17.6q2.8-1.8 5.6 0a5.4 5.4 0 0 1-5.6 0Z" fill={RED} stroke="none" />
    </Face>
  ),
  surprise: () => (
    <Face>
      <path d="M6.4 6.6q1.4-1.2 2.8-.6M17.6 6.6q-1.4-1.2-2.8-.6" />
      <circle cx="8.4" cy="10.2" r="1.2" fill={LINE} stroke="none" />
      <circle cx="15.6" cy="10.2" r="1.2" fill={LINE} stroke="none" />
      <ellipse cx="12" cy="16" rx="2.4" ry="3" fill="#7a2a1c" />
    </Face>
  ),
  thumbUp: () => <ThumbsUp fill={SKIN} stroke={LINE} strokeWidth={1.4} />,
  thumbDown: () => <ThumbsDown fill={SKIN} stroke={LINE} strokeWidth={1.4} />,
};

export interface ReactionIconProps {
  readonly reaction: Reaction;
  /** Its side, as CSS has it. */
  readonly size: string;
}

/** A reaction's picture; whoever shows it also says it. */
export function ReactionIcon({ reaction, size }: ReactionIconProps): JSX.Element {
  const Picture = PICTURES[reaction];
  return (
    <svg width={size} height={size} viewBox="0 0 24 24" aria-hidden data-reaction={reaction}>
      <Picture />
    </svg>
  );
}

function Face({ children }: { readonly children: ReactNode }): JSX.Element {
  return (
    <g fill="none" stroke={LINE} strokeWidth={1.4} strokeLinecap="round" strokeLinejoin="round">
      <circle cx="12" cy="12" r="10" fill={SKIN} />
      {children}
    </g>
  );
}

function Clap(): JSX.Element {
  return (
    <g strokeLinecap="round">
      <g transform="translate(-1.5 4.6) rotate(-22 12 12) scale(.76)">
        <Hand fill={SKIN} stroke={LINE} strokeWidth={1.7} />
      </g>
      <g transform="translate(25.6 3.6) scale(-1 1) rotate(-22 12 12) scale(.76)">
        <Hand fill={SKIN} stroke={LINE} strokeWidth={1.7} />
      </g>
      <path d="M12 .8v2.4M7.6 1.6l1 2M16.4 1.6l-1 2" stroke={SKIN} strokeWidth={1.5} />
    </g>
  );
}
