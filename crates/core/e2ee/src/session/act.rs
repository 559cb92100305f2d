//! Commits of one's own: who makes them, when, and what becomes of them.

use std::time::Duration;

use conclave_commit_rules::{Classification, CredentialId, Mute, Order, Role};
use conclave_mls::{CommitError, Outgoing};

use crate::admission::RANK_STEP;
use crate::input::{Command, KnockId, Now};
use crate::output::{Event, NotDone, ToServer, Warning};
use crate::session::follow::hash;
use crate::session::member::{Member, Own};

/// How often someone commits a new path, so that stolen keys are of no use any more.
const PATH_EVERY: Duration = Duration::from_secs(5 * 60 + 2);

/// From how many members on newcomers warm the tree up: below, a cold one costs less.
const WARM_FROM: usize = 33;

/// One newcomer in so many does: each fills the path over as many leaves.
const WARM_EACH: u32 = 32;

/// How long the server may take to order a commit.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long after a rejection the winner's commit is awaited.
const WINNER_AFTER: Duration = Duration::from_secs(2);

/// How long to wait after a commit could not be made.
const RETRY: Duration = Duration::from_secs(1);

/// How often a commit is made anew in one epoch.
const MAX_ATTEMPTS: u32 = 5;

/// What a host wants changed. It is applied to the order as it is when it is committed.
#[derive(Clone, Copy, Debug)]
pub(super) enum OrderWish {
    Appoint(CredentialId, Role),
    Lock(bool),
    Mute(Mute, bool),
    Raise(Classification),
}

impl OrderWish {
    fn apply(self, order: &mut Order) {
        match self {
            Self::Appoint(credential, role) => order.appoint(credential, role),
            Self::Lock(locked) => order.locked = locked,
            Self::Raise(classification) => order.classification = classification,
            Self::Mute(mute, on) => {
                order.mutes.retain(|old| *old != mute);
                if on {
                    order.mutes.push(mute);
                    order.mutes.sort_unstable();
                }
            }
        }
    }
}

/// What a commit is made for.
enum Purpose {
    Admit(Vec<KnockId>),
    Kick,
    Order,
    Path,
    Pending,
}

impl Member {
    pub(super) fn command(&mut self, now: Now, command: Command) {
        let done = match command {
            Command::Admit(knock) => self.admission.admit(now.at, knock),
            Command::Appoint(who, role) => self.wish(OrderWish::Appoint(who, role), Some(who)),
            Command::CodeCompared => {
                self.code_compared = Some(self.group.epoch());
                true
            }
            Command::Deny(knock) => {
                let known = self.admission.deny(knock);
                if known {
                    self.send(ToServer::Deny(knock));
                    self.show_knocks();
                }
                known
            }
            Command::Kick(who) => {
                let known = self.roster.find(&who).is_some();
                if known {
                    self.kicks.insert(who);
                    self.admission.shut_out(who);
                    self.mark_leaving();
                }
                known
            }
            Command::Lock(locked) => self.wish(OrderWish::Lock(locked), None),
            Command::Mute(mute, on) => self.wish(OrderWish::Mute(mute, on), None),
            Command::Raise(classification) => self.wish(OrderWish::Raise(classification), None),
            Command::Say(say) => return self.say(now.at, say),
            Command::Leave | Command::Rejoin => true,
        };
        if !done {
            self.say_event(Event::NotDone(NotDone::Unknown));
        } else if !self.may_commit() {
            self.say_event(Event::NotDone(NotDone::NotNow));
        }
    }

    fn wish(&mut self, wish: OrderWish, whom: Option<CredentialId>) -> bool {
        let known = whom.is_none_or(|who| self.roster.find(&who).is_some());
        if known {
            self.orders.push_back(wish);
        }
        known
    }

    /// Makes the next commit that is due, if it is this device's turn.
    pub(super) fn act(&mut self, now: Now) {
        let waits = self.retry_at.is_some_and(|at| now.at < at);
        if self.own.is_some() || waits || !self.may_commit() {
            return;
        }
        let Some((purpose, made)) = self.make(now) else { return };
        match made {
            Ok(outgoing) => {
                self.send(ToServer::Commit(outgoing.clone()));
                self.own = Some(Own { outgoing, since: now.at, rejected: None });
            }
            Err(error) => self.unmade(now.at, &purpose, error),
        }
    }

    fn make(&mut self, now: Now) -> Option<(Purpose, Result<Outgoing, CommitError>)> {
        let pending = self.group.pending_removes();
        let kicked = self.kicks.iter().filter_map(|id| self.roster.find(id));
        let kicked: Vec<_> = kicked.map(|person| person.leaf).collect();
        if !kicked.is_empty() {
            return Some((Purpose::Kick, self.group.remove(now.unix_s, &kicked)));
        }
        if self.removal_due(now.at).is_some_and(|at| at <= now.at) {
            return Some((Purpose::Pending, self.group.commit_pending(now.unix_s)));
        }
        while let Some(wish) = self.orders.front() {
            let mut order = self.order.clone();
            wish.apply(&mut order);
            if order != self.order {
                return Some((Purpose::Order, self.group.change_order(now.unix_s, order)));
            }
            self.orders.pop_front();
        }
        if self.admit_due().is_some_and(|at| at <= now.at) {
            let (knocks, packages): (Vec<_>, Vec<_>) =
                self.admission.batch(now.at).into_iter().unzip();
            if !packages.is_empty() {
                let made = self.group.admit(now.unix_s, packages);
                return Some((Purpose::Admit(knocks), made));
            }
        }
        if pending.is_empty() && self.path_due(now.at).is_some_and(|at| at <= now.at) {
            self.warm_up = None;
            return Some((Purpose::Path, self.group.update(now.unix_s)));
        }
        None
    }

    fn unmade(&mut self, now: Duration, purpose: &Purpose, error: CommitError) {
        self.retry_at = Some(now + RETRY);
        let reason = match error {
            CommitError::Refused(refusal) => NotDone::Refused(refusal),
            CommitError::Library
            | CommitError::Nothing
            | CommitError::Order
            | CommitError::View(_) => NotDone::Unmade,
        };
        match purpose {
            Purpose::Admit(knocks) => {
                for knock in knocks {
                    self.admission.forget(*knock);
                }
                self.show_knocks();
            }
            Purpose::Kick => self.kicks.clear(),
            Purpose::Order => {
                self.orders.pop_front();
            }
            // Tried again, or by another.
            Purpose::Path | Purpose::Pending => {
                self.last_path = now;
                return;
            }
        }
        self.say_event(Event::NotDone(reason));
    }

    /// When something of this device's own is due.
    pub(super) fn act_due(&self, now: Duration) -> Option<Duration> {
        if self.own.is_some() || !self.may_commit() {
            return None;
        }
        let wishes = !(self.kicks.is_empty() && self.orders.is_empty());
        let at_once = wishes.then_some(now);
        let path = self.path_due(now).filter(|_| self.removal_since.is_none());
        let due = [at_once, self.removal_due(now), self.admit_due(), path];
        let due = due.into_iter().flatten().min()?;
        Some(self.retry_at.map_or(due, |retry| due.max(retry)))
    }

    fn admit_due(&self) -> Option<Duration> {
        if self.order.locked || self.role() < Role::Admitter {
            return None;
        }
        self.admission.due(self.roster.len())
    }

    /// The server's removals are committed by the lowest admitter, and by each next one if those
    /// before do not; by anybody, where there is no admitter.
    fn removal_due(&self, now: Duration) -> Option<Duration> {
        let since = self.removal_since?;
        let pending = self.group.pending_removes();
        if pending.contains(&self.own_leaf()) {
            return None;
        }
        let stays = |leaf: &u32| !pending.contains(leaf);
        let rank = self.rank(now, stays)?;
        Some(since + RANK_STEP * rank)
    }

    /// This device's place among those who may act: live admitters by leaf, then the others.
    pub(super) fn rank(&self, now: Duration, may: impl Fn(&u32) -> bool) -> Option<u32> {
        let own = self.own_leaf();
        let is_live = |leaf: &u32| *leaf == own || self.liveness.is_live(now, &self.roster, *leaf);
        let admitters: Vec<_> = self.roster.admitters().filter(is_live).filter(&may).collect();
        let others = self.roster.people().keys().copied().filter(&may);
        let others = others.filter(|leaf| !admitters.contains(leaf));
        let place = admitters.iter().copied().chain(others).position(|leaf| leaf == own)?;
        u32::try_from(place).ok()
    }

    /// The admitters take turns with new paths; a newcomer warms up its part of a large tree.
    fn path_due(&self, now: Duration) -> Option<Duration> {
        if self.roster.len() < 2 {
            return None;
        }
        let mut turns: Vec<_> = self.roster.admitters().collect();
        if turns.is_empty() {
            turns.extend(self.roster.people().keys().next());
        }
        let own = self.own_leaf();
        turns.retain(|leaf| *leaf == own || self.liveness.is_live(now, &self.roster, *leaf));
        let count = u64::try_from(turns.len()).ok().filter(|count| *count > 0)?;
        let turn = usize::try_from(self.group.epoch() % count).ok()?;
        turns.rotate_left(turn);
        let place = turns.iter().position(|leaf| *leaf == own);
        let forced = place
            .and_then(|place| u32::try_from(place).ok())
            .map(|place| self.last_path + PATH_EVERY + RANK_STEP * place);
        forced.into_iter().chain(self.warm_up).min()
    }

    pub(super) fn warm_up_at(&self, now: Duration) -> Option<Duration> {
        let own = self.own_leaf();
        let turn = own.is_multiple_of(WARM_EACH) && self.roster.len() >= WARM_FROM;
        turn.then(|| now + Duration::from_secs(2 + u64::from((own / WARM_EACH) % 8)))
    }

    /// The server ordered this device's commit.
    pub(super) fn accepted(&mut self, now: Now, epoch: u64) {
        let fits = self.own.as_ref().is_some_and(|own| own.outgoing.epoch == epoch);
        if !fits || self.group.epoch() != epoch {
            return;
        }
        let Some(own) = self.own.take() else { return };
        match self.group.confirm() {
            Ok(accepted) => self.advance(now, &accepted, (epoch, hash(&own.outgoing.commit))),
            Err(_) => self.group.discard(),
        }
    }

    /// The server refused it. It is kept until the winner's commit is there: a server that lies
    /// here and hands it out all the same splits nothing.
    pub(super) fn rejected(&mut self, now: Duration, epoch: u64) {
        if let Some(own) = &mut self.own
            && own.outgoing.epoch == epoch
        {
            own.rejected = Some(now);
            self.ask_log();
        }
    }

    pub(super) fn own_due(&self) -> Option<Duration> {
        let own = self.own.as_ref()?;
        Some(own.rejected.map_or(own.since + PATIENCE, |at| at + WINNER_AFTER))
    }

    pub(super) fn watch_own(&mut self, now: Duration) {
        if self.own_due().is_none_or(|at| now < at) {
            return;
        }
        let Some(own) = &mut self.own else { return };
        if own.rejected.is_none() {
            // Perhaps the answer was lost.
            own.since = now;
            self.warn(Warning::Stalled);
            return self.ask_log();
        }
        self.own = None;
        self.group.discard();
        self.attempts += 1;
        self.retry_at = Some(now + RETRY);
        self.ask_log();
        if self.attempts >= MAX_ATTEMPTS {
            self.attempts = 0;
            self.warn(Warning::Stalled);
            let wished = !(self.kicks.is_empty() && self.orders.is_empty());
            if wished {
                self.orders.clear();
                self.kicks.clear();
                self.say_event(Event::NotDone(NotDone::Unmade));
            }
        }
    }
}
