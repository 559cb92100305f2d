//! What the server sends, and what becomes of it.

use conclave_commit_rules::{Role, check_key_package};
use conclave_mls::{ReceiveError, Received};
use openmls::framing::ContentType;
use openmls::prelude::tls_codec::DeserializeBytes as _;
use openmls::prelude::{MlsMessageIn, ProtocolMessage};
use sha2::{Digest as _, Sha256};

use crate::input::{FromServer, KnockId, Now};
use crate::output::{Event, ToServer, Warning};
use crate::session::member::{Behind, Member, Trouble};
use crate::verify;

/// The SHA-256 of a commit, by which it is named.
pub(super) fn hash(commit: &[u8]) -> [u8; 32] {
    Sha256::digest(commit).into()
}

/// What a message of the group says of itself. Nothing of it is proved yet.
pub(super) fn peek(bytes: &[u8]) -> Option<(u64, ContentType)> {
    let message = MlsMessageIn::tls_deserialize_exact_bytes(bytes).ok()?;
    let message: ProtocolMessage = message.try_into_protocol_message().ok()?;
    Some((message.epoch().as_u64(), message.content_type()))
}

impl Member {
    pub(super) fn server(&mut self, now: Now, message: FromServer) {
        if self.trouble.is_some() {
            return;
        }
        match message {
            FromServer::Accepted(epoch) => self.accepted(now, epoch),
            FromServer::AllReady(epoch) => self.media.all_ready(epoch),
            FromServer::App(bytes) => self.hear(now, &bytes),
            FromServer::Commit(bytes) => self.handshake(now, &bytes),
            FromServer::Knock(id, key_package) => self.knock(now, id, &key_package),
            FromServer::KnockGone(id) => {
                if self.admission.forget(id) {
                    self.show_knocks();
                }
            }
            FromServer::Log(messages) => self.log(now, &messages),
            FromServer::Proposal(bytes) => self.proposal(now, &bytes),
            FromServer::Rejected(epoch) => self.rejected(now.at, epoch),
            FromServer::Voided(epoch) => self.voided(epoch),
            FromServer::Denied
            | FromServer::Ended
            | FromServer::FoundLost
            | FromServer::Founded
            | FromServer::GroupInfo { .. }
            | FromServer::KnockAgain
            | FromServer::Meeting { .. }
            | FromServer::Welcome { .. } => {}
        }
    }

    fn knock(&mut self, now: Now, id: KnockId, key_package: &[u8]) {
        if self.role() < Role::Admitter {
            return;
        }
        let meta = self.meta.clone();
        let verified = self.group.verify(key_package, |leaf| verify::identity(&meta, leaf));
        let constitution = self.group.constitution();
        let package = verified
            .ok()
            .filter(|package| check_key_package(constitution, now.unix_s, package.view()).is_ok());
        let Some(package) = package else { return self.say_event(Event::KnockRefused(id)) };
        let leaf = &package.view().leaf;
        if self.roster.find(&leaf.credential).is_some() {
            return;
        }
        let mut stays = [Some(leaf.credential), package.former()].into_iter().flatten();
        if stays.any(|stay| self.admission.is_shut_out(&stay)) {
            return self.send(ToServer::Deny(id));
        }
        let name = verify::name(&meta, leaf).unwrap_or_default();
        let mode = self.group.constitution().mode;
        let admitters: Vec<_> = self.roster.admitters().collect();
        let rank = self.rank(now.at, |leaf| admitters.contains(leaf)).unwrap_or_default();
        let again = self.is_missed(now.at, &package, &name);
        if self.admission.knock(now.at, id, package, name, (mode, again), rank) {
            self.show_knocks();
        }
    }

    fn log(&mut self, now: Now, messages: &[Vec<u8>]) {
        for message in messages {
            self.handshake(now, message);
        }
        // Still the same epoch: the server has not seen this device's commit.
        let epoch = self.group.epoch();
        if let Some(own) = &self.own
            && own.outgoing.epoch == epoch
            && own.rejected.is_none()
        {
            let outgoing = own.outgoing.clone();
            self.send(ToServer::Commit(outgoing));
        }
    }

    fn handshake(&mut self, now: Now, bytes: &[u8]) {
        match peek(bytes) {
            Some((epoch, ContentType::Commit)) => self.commit(now, epoch, bytes),
            Some((_, ContentType::Proposal)) => self.proposal(now, bytes),
            Some((_, ContentType::Application)) | None => {}
        }
    }

    fn commit(&mut self, now: Now, epoch: u64, bytes: &[u8]) {
        let (ours, commit) = (self.group.epoch(), hash(bytes));
        if epoch < ours {
            if self.last_commit.is_some_and(|(at, known)| at == epoch && known != commit) {
                self.warn(Warning::Conflict { epoch });
            }
            return;
        }
        if epoch > ours {
            return self.fall_behind(now, epoch);
        }
        if self.own.as_ref().is_some_and(|own| own.outgoing.commit == bytes) {
            return self.accepted(now, epoch);
        }
        let meta = self.meta.clone();
        let received = self.group.receive(now.unix_s, bytes, |leaf| verify::identity(&meta, leaf));
        match received {
            Ok(Received::Committed(accepted)) => {
                if self.own.take().is_some() {
                    self.group.discard();
                }
                self.advance(now, &accepted, (epoch, commit));
            }
            Ok(Received::Removed) => self.is_removed = true,
            Ok(Received::Message(_) | Received::RemovalProposed(_)) => {}
            Err(ReceiveError::Stopped(stop)) => self.stop(Trouble::Refused(stop)),
            Err(ReceiveError::Malformed | ReceiveError::WrongEpoch | ReceiveError::Own) => {}
            Err(ReceiveError::Forged | ReceiveError::Proposal | ReceiveError::UnknownSender) => {
                self.stranded = Some(commit);
                self.send(ToServer::Nack { epoch, commit });
            }
        }
    }

    fn proposal(&mut self, now: Now, bytes: &[u8]) {
        match peek(bytes) {
            Some((epoch, _)) if epoch > self.group.epoch() => {
                return self.fall_behind(now, epoch);
            }
            Some((epoch, _)) if epoch < self.group.epoch() => return,
            Some(_) | None => {}
        }
        let meta = self.meta.clone();
        let received = self.group.receive(now.unix_s, bytes, |leaf| verify::identity(&meta, leaf));
        match received {
            Ok(Received::RemovalProposed(leaf)) => {
                self.removal_since.get_or_insert(now.at);
                self.roster.mark_leaving(leaf);
                self.miss(now.at, leaf);
            }
            Err(ReceiveError::Proposal | ReceiveError::Forged) => {
                self.warn(Warning::ServerOverreach);
            }
            Ok(Received::Committed(_) | Received::Message(_) | Received::Removed)
            | Err(
                ReceiveError::Malformed
                | ReceiveError::Own
                | ReceiveError::Stopped(_)
                | ReceiveError::UnknownSender
                | ReceiveError::WrongEpoch,
            ) => {}
        }
    }

    /// Something is of a later epoch: a commit is missing.
    pub(super) fn fall_behind(&mut self, now: Now, seen: u64) {
        match &mut self.behind {
            Some(behind) => behind.seen = behind.seen.max(seen),
            None => {
                self.behind = Some(Behind { seen, since: now.at });
                self.warn(Warning::Withheld { seen });
                self.ask_log();
            }
        }
    }

    /// Nobody rolls back an epoch that has begun: the server voids only what this device could not
    /// process either.
    fn voided(&mut self, epoch: u64) {
        if self.group.epoch() > epoch {
            return self.warn(Warning::ServerOverreach);
        }
        self.stranded = None;
        if self.own.take().is_some() {
            self.group.discard();
        }
    }
}
