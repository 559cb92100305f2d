import type { CallCommands, PersonId } from "@conclave/client";
import { classes, useAnnounce } from "@conclave/ui";
import { plural } from "@lingui/core/macro";
import { Trans, useLingui } from "@lingui/react/macro";
import { Hand } from "lucide-react";
import { type JSX, type ReactNode, useEffect, useRef, useState } from "react";
import { useNameOf } from "../../person/names";
import { useBatches } from "../../useBatches";
import { useSnapshot } from "../../useSnapshot";
import { ReactionIcon } from "./ReactionIcon";
import styles from "./ReactionStack.module.css";
import { REACTION_WORDS } from "./reactions";

const c = classes(styles);

/** More at once would cover the pictures. */
const MOST = 4;

/** How long it is shown that somebody raised a hand; the hand itself stays on their tile. */
const HAND_MS = 6000;

/** What comes within this time is announced together; more than a few are counted. */
const ANNOUNCE_MS = 2000;
const MOST_READ = 2;

/**
 * Reactions and hands that just went up, in a corner of the stage with the names: who is not in
 * the pictures is seen, too. It also says them to those who listen.
 */
export function ReactionStack({ call }: { readonly call: CallCommands }): JSX.Element {
  const nameOf = useNameOf();
  const { t } = useLingui();
  const reactions = useSnapshot(call, (snapshot) => snapshot.reactions);
  const own = useSnapshot(call, ({ self }) => self.id);
  const raised = useRaised(call);
  useReactionsSaid(call);
  useRaisedSaid(raised);
  const shown = reactions.slice(-MOST);
  const hidden = reactions.length - shown.length;
  return (
    // What is in it is announced, at a pace that can be followed.
    <div className={c("stack")} aria-hidden data-testid="reaction-stack">
      {raised.slice(-MOST).map((one) => (
        <RaisedSign key={`hand ${one.id}`} name={nameOf(one.name)} />
      ))}
      {hidden > 0 ? <span className={c("hidden")}>+{hidden}</span> : null}
      {shown.map(({ id, from, name, reaction }) => (
        <Sign key={id} icon={<ReactionIcon reaction={reaction} size="1.5rem" />}>
          {from === own ? t`You` : nameOf(name)}
        </Sign>
      ))}
    </div>
  );
}

interface SignProps {
  readonly icon: ReactNode;
  readonly isHand?: boolean;
  readonly children: ReactNode;
}

function Sign({ icon, isHand = false, children }: SignProps): JSX.Element {
  return (
    <span className={c("sign", isHand && "hand")}>
      {icon}
      <bdi className={c("name")}>{children}</bdi>
    </span>
  );
}

function RaisedSign({ name }: { readonly name: string }): JSX.Element {
  return (
    <Sign icon={<Hand size={20} />} isHand>
      <Trans>{name} raised a hand</Trans>
    </Sign>
  );
}

/** A hand that went up while this person looked on. */
interface Raised {
  readonly id: number;
  readonly name: string;
}

function useRaised(call: CallCommands): readonly Raised[] {
  const hands = useSnapshot(call, (snapshot) => snapshot.hands);
  const before = useRef<readonly PersonId[]>(hands);
  const next = useRef(0);
  const timers = useRef(new Set<ReturnType<typeof setTimeout>>());
  const [raised, setRaised] = useState<readonly Raised[]>([]);

  useEffect(() => {
    const { others } = call.snapshot();
    const fresh = hands
      .filter((hand) => !before.current.includes(hand))
      .flatMap((hand) => others.filter(({ id }) => id === hand))
      .map(({ name }) => ({ id: next.current++, name }));
    before.current = hands;
    if (fresh.length === 0) return;
    setRaised((old) => [...old, ...fresh]);
    const timer = setTimeout(() => {
      timers.current.delete(timer);
      setRaised((old) => old.filter((one) => !fresh.includes(one)));
    }, HAND_MS);
    timers.current.add(timer);
  }, [call, hands]);

  useEffect(() => {
    const running = timers.current;
    return () => {
      for (const timer of running) clearTimeout(timer);
    };
  }, []);
  return raised;
}

function useRaisedSaid(raised: readonly Raised[]): void {
  const { t } = useLingui();
  const announce = useAnnounce();
  const nameOf = useNameOf();
  useBatches(raised, ANNOUNCE_MS, (batch) => {
    if (batch.length > MOST_READ) {
      const count = batch.length;
      announce(t`${plural(count, { one: "# hand was raised", other: "# hands were raised" })}`);
      return;
    }
    for (const one of batch) {
      const name = nameOf(one.name);
      announce(t`${name} raised a hand`);
    }
  });
}

function useReactionsSaid(call: CallCommands): void {
  const { t } = useLingui();
  const announce = useAnnounce();
  const nameOf = useNameOf();
  const reactions = useSnapshot(call, (snapshot) => snapshot.reactions);
  useBatches(reactions, ANNOUNCE_MS, (batch) => {
    const own = call.snapshot().self.id;
    const news = batch.filter(({ from }) => from !== own);
    if (news.length > MOST_READ) {
      const count = news.length;
      announce(t`${plural(count, { one: "# reaction", other: "# reactions" })}`);
      return;
    }
    for (const one of news) {
      const name = nameOf(one.name);
      const reaction = t(REACTION_WORDS[one.reaction]);
      announce(t`${name} reacts: ${reaction}`);
    }
  });
}
