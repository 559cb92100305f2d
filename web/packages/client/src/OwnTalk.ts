import type { GroupCommand, GroupEvent, MuteWhat, Reaction, SayWhat } from "@conclave/wire";

import type { CallGroup } from "./CallGroup";
import { cleanChat, cleanName } from "./displayText";
import type { NoticeBoard } from "./NoticeBoard";
import type { PersonId } from "./snapshot";
import { isSayable, type Speaker, type Talk } from "./Talk";

/** What {@link OwnTalk} is made of. */
export interface OwnTalkOptions {
  readonly group: Pick<CallGroup, "command" | "view">;
  readonly talk: Talk;
  readonly board: NoticeBoard;
  /** Whether the own microphone is heard. */
  readonly isHeard: () => boolean;
}

/** What this person says beside the call and asks of the group, and what the group answers. */
export class OwnTalk {
  constructor(private readonly options: OwnTalkOptions) {}

  chat(text: string): void {
    const clean = cleanChat(text);
    const speaker = isSayable(clean) && !this.#mayNot("chat") ? this.#speaker() : undefined;
    if (this.#say(speaker, { type: "chat", text: clean })) {
      this.options.talk.chatted(speaker, clean, true);
    }
  }

  react(reaction: Reaction): void {
    const speaker = this.#speaker();
    if (this.#say(speaker, { type: "reaction", reaction })) {
      this.options.talk.reacted(speaker, reaction);
    }
  }

  raiseHand(up: boolean): void {
    const speaker = this.#speaker();
    if (this.#say(speaker, { type: "hand", up })) this.options.talk.hand(speaker.id, up);
  }

  /** Someone came who saw no hand go up: a raised one is raised for them. */
  showHandAgain(): void {
    const { group, talk } = this.options;
    const own = group.view?.ownCredential;
    if (typeof own === "string" && talk.hands.includes(own)) {
      group.command({ type: "say", say: { type: "hand", up: true } });
    }
  }

  askToMute(person: PersonId | undefined): void {
    this.command({ type: "say", say: { type: "askMute", credential: person ?? null } });
  }

  command(command: GroupCommand): void {
    if (!this.options.group.command(command)) this.options.board.put("notDone");
  }

  hear(event: GroupEvent): void {
    const { talk, board } = this.options;
    switch (event.type) {
      case "notDone":
        board.put("notDone");
        return;
      case "said":
        talk.hear(event.said);
        if (event.said.say.type === "askMute") {
          this.#asked(event.said.say.credential, event.said.name);
        }
        return;
      case "warning":
        this.#warn(event.kind);
        return;
      default:
        unreachable(event);
    }
  }

  #asked(whom: PersonId | null, by: string): void {
    const { group, board, isHeard } = this.options;
    const isMeant = whom === null || whom === group.view?.ownCredential;
    if (isMeant && isHeard()) board.put("askedToMute", { name: cleanName(by) });
  }

  #warn(kind: Extract<GroupEvent, { type: "warning" }>["kind"]): void {
    const { board } = this.options;
    switch (kind) {
      case "silence":
      case "serverOverreach":
      case "stalled":
      case "withheld":
        board.put(kind);
        return;
      case "conflict":
        // Two commits for one epoch: more than a server may do.
        board.put("serverOverreach");
        return;
      case "silenceOver":
        board.retract("silence");
        return;
      case "replayed":
      case "suppressed":
        // A lost connection looks the same: nothing that a person could do anything about.
        return;
      default:
        unreachable(kind);
    }
  }

  #say(speaker: Speaker | undefined, say: SayWhat): speaker is Speaker {
    const { group, board } = this.options;
    if (speaker !== undefined && group.command({ type: "say", say })) return true;
    board.put("notDone");
    return false;
  }

  /** This person as others see it; nothing while nothing can be said. */
  #speaker(): Speaker | undefined {
    const { view } = this.options.group;
    const own = view?.people.find(({ isSelf }) => isSelf);
    const canSpeak = view?.state === "inGroup" || view?.state === "catchingUp";
    if (own === undefined || !canSpeak) return undefined;
    return { id: own.credential, name: cleanName(own.name), role: own.role };
  }

  #mayNot(what: MuteWhat): boolean {
    const { view } = this.options.group;
    const isMeant = (mute: { credential: string; what: MuteWhat }): boolean =>
      mute.credential === view?.ownCredential && mute.what === what;
    return view?.order.mutes.some(isMeant) === true;
  }
}

function unreachable(value: never): never {
  throw new Error(`unhandled: ${JSON.stringify(value)}`);
}
