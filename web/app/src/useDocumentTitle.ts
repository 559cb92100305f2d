import { useEffect } from "react";

/** Sets the document's title while its component is there. */
export function useDocumentTitle(title: string): void {
  useEffect(() => {
    document.title = title;
  }, [title]);
}
