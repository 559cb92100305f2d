//! Messages between members, heartbeats among them.

use std::time::Duration;

use conclave_commit_rules::{Mute, Role};
use conclave_mls::{Message, ReceiveError, Received};

use crate::input::Now;
use crate::output::{Event, Fork, NotDone, Said, ToServer, Warning};
use crate::session::follow::peek;
use crate::session::member::{Member, Trouble};
use crate::talk::{Body, Count, Heartbeat, Say};
use crate::verify;

/// How many messages of one epoch may fail to open: others' keys differ, or the server forges.
const UNREADABLE: u32 = 3;

/// How many messages wait for a moment in which they can be sent.
const WAITING: usize = 64;

/// While something is pending, MLS sends no message (RFC 9420 section 12.4).
const HEARTBEAT_RETRY: Duration = Duration::from_millis(500);

impl Member {
    pub(super) fn say(&mut self, now: Duration, say: Say) {
        let own = self.roster.people().get(&self.own_leaf()).map(|person| person.credential);
        let muted = own.is_some_and(|own| self.order.mutes.contains(&Mute::Chat(own)));
        let may = match say {
            Say::AskMute(_) => self.role() >= Role::CoHost,
            Say::Chat(_) => !muted,
            Say::Hand(_) | Say::Reaction(_) => true,
        };
        if !say.is_fit() {
            self.say_event(Event::NotDone(NotDone::Text));
        } else if !may || !self.may_send(now) || self.talk.waiting.len() >= WAITING {
            self.say_event(Event::NotDone(NotDone::NotNow));
        } else {
            self.talk.waiting.push_back(Body::Say(say));
            self.flush(now);
        }
    }

    /// Sends what waits.
    pub(super) fn flush(&mut self, now: Duration) {
        while self.may_send(now)
            && let Some(body) = self.talk.waiting.pop_front()
        {
            if !self.seal_and_send(&body) {
                self.talk.waiting.push_front(body);
                return;
            }
        }
    }

    fn seal_and_send(&mut self, body: &Body) -> bool {
        let sealed = self.talk.encode(body).and_then(|bytes| self.group.send(&bytes).ok());
        let Some(sealed) = sealed else { return false };
        self.talk.count_sent();
        self.send(ToServer::App(sealed));
        true
    }

    /// Shows that this device lives, and in which history: also while nothing else is sent, or two
    /// that miss each other would never meet again.
    pub(super) fn heartbeat(&mut self, now: Duration) {
        let due = self.liveness.own_due(&self.roster, self.own_leaf());
        let waits = self.heartbeat_retry.is_some_and(|at| now < at);
        if now < due || waits || self.stranded.is_some() {
            return;
        }
        let mark = self.group.fork_mark();
        let roster = u32::try_from(self.roster.len()).unwrap_or(u32::MAX);
        let heartbeat = Heartbeat { epoch: mark.epoch, transcript: mark.transcript_hash, roster };
        if self.seal_and_send(&Body::Heartbeat(heartbeat)) {
            self.liveness.sent(now);
            self.heartbeat_retry = None;
        } else {
            self.heartbeat_retry = Some(now + HEARTBEAT_RETRY);
        }
    }

    /// Takes a member's message in.
    pub(super) fn hear(&mut self, now: Now, sealed: &[u8]) {
        let Some((epoch, _)) = peek(sealed) else { return };
        if epoch > self.group.epoch() {
            return self.fall_behind(now, epoch);
        }
        if self.talk.is_repeated(sealed) {
            return self.warn(Warning::Replayed { leaf: None });
        }
        let meta = self.meta.clone();
        let received = self.group.receive(now.unix_s, sealed, |leaf| verify::identity(&meta, leaf));
        match received {
            Ok(Received::Message(message)) => {
                self.talk.note(sealed);
                self.opened(now, &message);
            }
            Err(ReceiveError::Forged) if epoch == self.group.epoch() => {
                self.talk.note(sealed);
                self.unreadable += 1;
                if self.unreadable >= UNREADABLE {
                    self.stop(Trouble::Forked(Fork::Unreadable));
                }
            }
            Ok(Received::Committed(_) | Received::Removed | Received::RemovalProposed(_))
            | Err(
                ReceiveError::Forged
                | ReceiveError::Malformed
                | ReceiveError::Own
                | ReceiveError::Proposal
                | ReceiveError::Stopped(_)
                | ReceiveError::UnknownSender
                | ReceiveError::WrongEpoch,
            ) => {}
        }
    }

    fn opened(&mut self, now: Now, message: &Message) {
        let Message { sender, leaf, epoch, bytes } = message;
        let Some((count, body)) = self.talk.decode(sender.credential, bytes) else { return };
        match count {
            Count::Replayed => return self.warn(Warning::Replayed { leaf: Some(*leaf) }),
            Count::Missing(missing) => self.warn(Warning::Suppressed { leaf: *leaf, missing }),
            Count::Next => {}
        }
        match body {
            Body::Heartbeat(heartbeat) => self.beat(now.at, *leaf, *epoch, &heartbeat),
            Body::Say(say) => {
                let Some(person) = self.roster.people().get(leaf) else { return };
                let muted = self.order.mutes.contains(&Mute::Chat(person.credential));
                let may = match say {
                    Say::AskMute(_) => person.role >= Role::CoHost,
                    Say::Chat(_) => !muted,
                    Say::Hand(_) | Say::Reaction(_) => true,
                };
                if may && say.is_fit() {
                    let said = Said {
                        credential: person.credential,
                        leaf: *leaf,
                        name: person.name.clone(),
                        role: person.role,
                        epoch: *epoch,
                        say,
                    };
                    self.say_event(Event::Said(said));
                }
            }
        }
    }

    fn beat(&mut self, now: Duration, leaf: u32, epoch: u64, heartbeat: &Heartbeat) {
        let agrees = heartbeat.epoch == epoch
            && self.liveness.mark(epoch).is_none_or(|(transcript, roster)| {
                *transcript == heartbeat.transcript && *roster == heartbeat.roster
            });
        if agrees {
            self.liveness.hear(now, leaf);
        } else {
            self.stop(Trouble::Forked(Fork::Heartbeat { leaf }));
        }
    }
}
