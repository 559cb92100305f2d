import { classes } from "@conclave/ui";
import { type JSX, type ReactNode, useEffect, useRef } from "react";
import { useDocumentTitle } from "../useDocumentTitle";
import styles from "./MessageView.module.css";

const c = classes(styles);

export interface MessageViewProps {
  readonly header: ReactNode;
  readonly icon: ReactNode;
  readonly tone: "calm" | "wrong";
  readonly title: string;
  readonly children: ReactNode;
  readonly actions: ReactNode;
}

/** A view that is one message: the end of a call, or why there is none. */
export function MessageView({
  header,
  icon,
  tone,
  title,
  children,
  actions,
}: MessageViewProps): JSX.Element {
  useDocumentTitle(`${title} – Conclave`);
  const heading = useRef<HTMLHeadingElement>(null);
  // What was under focus is gone; the message is what is to be read.
  useEffect(() => heading.current?.focus(), []);
  return (
    <div className={c("page")}>
      {header}
      <main className={c("main")}>
        <span className={c("sign", tone === "wrong" && "wrong")}>{icon}</span>
        <h1 className={c("title")} ref={heading} tabIndex={-1}>
          {title}
        </h1>
        <div className={c("text")}>{children}</div>
        <div className={c("actions")}>{actions}</div>
      </main>
    </div>
  );
}
