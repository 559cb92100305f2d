import type { KnockView } from "@conclave/wire";
import type { MessageDescriptor } from "@lingui/core";
import { msg } from "@lingui/core/macro";

/** What is known of somebody who asks to come in. */
export function knockWords({ hostProven }: Pick<KnockView, "hostProven">): MessageDescriptor {
  return hostProven
    ? msg`Host, proved by the meeting’s host key`
    : msg`Unverified guest who holds the link`;
}
