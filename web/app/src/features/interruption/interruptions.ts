import type { MemberState } from "@conclave/wire";
import type { MessageDescriptor } from "@lingui/core";
import { msg } from "@lingui/core/macro";

/** Why a call stands still while one is in it. */
export interface Interruption {
  readonly what: MessageDescriptor;
  /** What happened, and what it means. */
  readonly why: MessageDescriptor;
  /** What the person can do now. */
  readonly todo: MessageDescriptor;
  /** Whether coming in anew is a way out; otherwise it ends by itself, or not at all. */
  readonly canRejoin: boolean;
}

/** The interruption that a state is; nothing while media flows. */
export function interruptionOf(state: MemberState): Interruption | undefined {
  switch (state) {
    case "forked":
      return {
        what: msg`The meeting is split`,
        why: msg`Your device and others have different records of who came and went. The server may show each side something else.`,
        todo: msg`Tell the others by another way, such as the telephone. You can come in anew; compare the safety code then. Or leave.`,
        canRejoin: true,
      };
    case "refused":
      return {
        what: msg`A change that breaks the meeting’s rules was refused`,
        why: msg`Somebody, or the server, tried to change who is in the meeting in a way that nobody may. Your device did not follow.`,
        todo: msg`Tell the host by another way. You can come in anew if the others say that all is well. Or leave.`,
        canRejoin: true,
      };
    case "stranded":
      return {
        what: msg`Your device lost track of the meeting’s keys`,
        why: msg`It was handed a change that it could not open. The others may have gone on without you.`,
        todo: msg`Come in anew, to get new keys. If it happens again, tell the host.`,
        canRejoin: true,
      };
    case "suspendedSilence":
      return {
        what: msg`Nothing has been heard of the others for a while`,
        why: msg`The signs of life that hosts and others send do not arrive. The connection is bad, or the server holds them back.`,
        todo: msg`Wait: the call goes on by itself when they are heard again. If it lasts, leave and tell the others by another way.`,
        canRejoin: false,
      };
    case "suspendedWithheld":
      return {
        what: msg`The server holds back a change of the meeting`,
        why: msg`Others already go by newer keys, and your device was not given them. Somebody may have been removed without your seeing it.`,
        todo: msg`Wait: the call goes on by itself when the change arrives. If it lasts, leave and tell the others by another way.`,
        canRejoin: false,
      };
    default:
      return undefined;
  }
}
