import type { Membership } from "@conclave/client";
import type { MemberRole, MuteWhat } from "@conclave/wire";
import type { MessageDescriptor } from "@lingui/core";
import { msg } from "@lingui/core/macro";

/** A role in a word; nothing for a guest, who has none. */
export const ROLE_WORDS: Readonly<Record<Exclude<MemberRole, "guest">, MessageDescriptor>> = {
  presenter: msg`Presenter`,
  admitter: msg`Lets people in`,
  coHost: msg`Co-host`,
  host: msg`Host`,
};

/** A role and how it is known who its holder is. */
export function membershipWords({
  role,
  proof,
}: Pick<Membership, "role" | "proof">): MessageDescriptor {
  if (proof === "hostKey") return msg`Host, proved by the meeting’s host key`;
  switch (role) {
    case "host":
    case "coHost":
      return msg`Co-host: appointed here, the name is their own word`;
    case "admitter":
      return msg`May let people in: appointed here, the name is their own word`;
    case "presenter":
      return msg`Presenter: appointed here, the name is their own word`;
    case "guest":
      return msg`Guest: the name is their own word`;
  }
}

/** What somebody may be forbidden to send. */
export const SOURCE_WORDS: Readonly<Record<MuteWhat, MessageDescriptor>> = {
  microphone: msg`Microphone`,
  camera: msg`Camera`,
  screen: msg`Screen`,
  chat: msg`Chat`,
};
