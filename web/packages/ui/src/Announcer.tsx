import {
  createContext,
  type JSX,
  type ReactNode,
  useCallback,
  useContext,
  useMemo,
  useRef,
  useState,
} from "react";
import { VisuallyHidden } from "react-aria-components";

/** Says a sentence to those who listen to the screen. */
export type Announce = (sentence: string) => void;

const AnnounceContext = createContext<Announce>(() => undefined);

/** How long a sentence stays: long enough to be picked up, short enough not to be met by chance. */
const STAY_MS = 4_000;

/**
 * The page's one polite live region.
 *
 * Sentences that come together are said together: five people who join at once make one
 * announcement of five lines, not five that cut each other off.
 */
export function Announcer({ children }: { readonly children: ReactNode }): JSX.Element {
  const [lines, setLines] = useState<readonly { id: number; text: string }[]>([]);
  const next = useRef(0);
  const announce = useCallback((text: string) => {
    const id = next.current++;
    setLines((old) => [...old, { id, text }]);
    setTimeout(() => setLines((old) => old.filter((line) => line.id !== id)), STAY_MS);
  }, []);
  const region = useMemo(
    () => (
      <VisuallyHidden>
        <div role="log" aria-live="polite" aria-relevant="additions" data-testid="announcer">
          {lines.map((line) => (
            <p key={line.id}>{line.text}</p>
          ))}
        </div>
      </VisuallyHidden>
    ),
    [lines],
  );
  return (
    <AnnounceContext value={announce}>
      {children}
      {region}
    </AnnounceContext>
  );
}

/** How to say something. */
export function useAnnounce(): Announce {
  return useContext(AnnounceContext);
}
