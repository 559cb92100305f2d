use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::sync::Arc;
use std::time::Instant;

use conclave_commit_rules::{Constitution, CredentialId, Mute, Order, resume_statement};
use conclave_model::{ParticipantId, TrackSource};

use crate::group::Group;
use crate::key::ProposalKey;
use crate::limits::{APPS, FETCHES, MAX_APP_LEN, MAX_STRANGERS, VANISH_AFTER};
use crate::lobby::Lobby;
use crate::message::{Input, Output, RequestRefusal, ToDevice};
use crate::pace::{Limit, Pace, Paces};
use crate::public_group::commit_epoch;

/// Orders one meeting's handshakes and messages.
///
/// Sans-IO: after every [`handle_input`](Self::handle_input), call
/// [`poll_output`](Self::poll_output) until it returns [`Output::Timeout`]; then wait for that
/// instant or the next input, whichever is first. Dropping it, and the stored snapshot with it, is
/// the call's end.
pub struct DeliveryService {
    pub(crate) constitution: Constitution,
    pub(crate) key: ProposalKey,
    pub(crate) now: Instant,
    /// One instant and its time, in seconds since 1970.
    clock: (Instant, u64),
    pub(crate) group: Option<Group>,
    pub(crate) devices: BTreeMap<ParticipantId, Device>,
    pub(crate) lobby: Lobby,
    /// Whose media may flow, as told, and the leaf.
    pub(crate) gates: BTreeMap<ParticipantId, u32>,
    /// What hosts decided, as told.
    order: Order,
    pub(crate) outputs: VecDeque<Output>,
    /// The public state has changed since it was last told.
    pub(crate) dirty: bool,
}

/// A device of the meeting, in the group or not.
#[derive(Debug)]
pub(crate) struct Device {
    pub(crate) connected: bool,
    pub(crate) leaf: Option<u32>,
    /// When its removal is proposed, if its socket is gone.
    pub(crate) lost_at: Option<Instant>,
    /// The latest epoch that it is known to have the keys of.
    pub(crate) ready: Option<u64>,
    /// What it was let in with, until it has shown that it is in.
    pub(crate) entry: Option<EntryState>,
    pub(crate) paces: Paces,
    /// What it knows of the meeting: whether it has a group, and an admitter.
    pub(crate) told: Option<(bool, bool)>,
}

impl Device {
    pub(crate) fn new() -> Self {
        Self {
            connected: true,
            leaf: None,
            lost_at: None,
            ready: None,
            entry: None,
            paces: Paces::default(),
            told: None,
        }
    }
}

/// What a newcomer was told when it came in. It is told again if it resumes before it has shown
/// that it knows: a Welcome fits no later tree.
#[derive(Debug)]
pub(crate) struct EntryState {
    /// The epoch that it enters.
    pub(crate) epoch: u64,
    pub(crate) message: ToDevice,
    /// Until when it is to be in.
    pub(crate) deadline: Instant,
}

impl DeliveryService {
    /// Creates the service of a call that has no group yet. `now_unix_s` is `now`, in seconds
    /// since 1970.
    pub fn new(
        constitution: Constitution,
        key: ProposalKey,
        now: Instant,
        now_unix_s: u64,
    ) -> Self {
        Self {
            constitution,
            key,
            now,
            clock: (now, now_unix_s),
            group: None,
            devices: BTreeMap::new(),
            lobby: Lobby::default(),
            gates: BTreeMap::new(),
            order: Order::default(),
            outputs: VecDeque::new(),
            dirty: false,
        }
    }

    /// The epoch of the group, if there is one.
    pub fn epoch(&self) -> Option<u64> {
        self.group.as_ref().map(Group::epoch)
    }

    /// What hosts decided; nothing as long as there is no group.
    pub fn order(&self) -> Option<&Order> {
        self.group.as_ref().map(|group| &group.view.order)
    }

    /// Whose leaf it is.
    pub fn credential_at(&self, leaf: u32) -> Option<CredentialId> {
        let leaf = self.group.as_ref()?.view.leaves.get(&leaf)?;
        Some(leaf.credential)
    }

    /// Whether a device is in the group and is not to go, be it connected or not: then its
    /// [`Gate`](crate::Gate) is open.
    pub fn is_member(&self, who: ParticipantId) -> bool {
        self.member_leaf(who).is_some()
    }

    /// Whether a member may publish from a source: hosts have not forbidden it.
    pub fn may_publish(&self, who: ParticipantId, source: TrackSource) -> bool {
        let credential = self.member_leaf(who).and_then(|leaf| self.credential_at(leaf));
        let (Some(order), Some(who)) = (self.order(), credential) else { return false };
        let mute = match source {
            TrackSource::Camera => Mute::Camera(who),
            TrackSource::Microphone => Mute::Microphone(who),
            TrackSource::Screen | TrackSource::ScreenAudio => Mute::Screen(who),
        };
        !order.mutes.contains(&mute)
    }

    /// Takes one event. `now` must not go backwards between calls.
    pub fn handle_input(&mut self, now: Instant, input: Input) {
        self.now = now;
        self.dispatch(input);
        self.judge_slot();
        self.notice_vanished();
        self.pursue_removals();
        self.drop_lost_group();
        self.relay_knocks();
        self.move_gates();
        self.announce_ready();
        self.announce_meeting();
        if self.order().is_some_and(|order| *order != self.order) {
            self.order = self.order().cloned().unwrap_or_default();
            self.outputs.push_back(Output::Order);
        }
        if std::mem::take(&mut self.dirty) {
            // Nobody is told of what may still be lost.
            self.outputs.push_front(Output::Persist);
        }
    }

    /// Returns the next thing to do.
    pub fn poll_output(&mut self) -> Output {
        self.outputs.pop_front().unwrap_or_else(|| Output::Timeout(self.next_timeout()))
    }

    fn dispatch(&mut self, input: Input) {
        match input {
            Input::App { from, message } => self.answer(from, |s| s.app(from, &message)),
            Input::Commit { from, commit, welcome, group_info } => {
                if let Err(why) = self.commit(from, &commit, welcome.as_deref(), &group_info) {
                    let epoch = commit_epoch(&commit).or_else(|| self.epoch()).unwrap_or_default();
                    self.send(from, ToDevice::Rejected { epoch, why });
                }
            }
            Input::Connected { who } => self.answer(who, |s| s.connected(who)),
            Input::Deny { from, knocker } => self.answer(from, |s| s.deny(from, knocker)),
            Input::Disconnected { who } => self.disconnected(who),
            Input::FetchGroup { from } => self.answer(from, |s| s.fetch(from)),
            Input::Found { from, group_info, tree } => {
                if let Err(why) = self.found(from, &group_info, &tree) {
                    self.send(from, ToDevice::FoundRefused { why });
                }
            }
            Input::Knock { from, key_package } => {
                self.answer(from, |s| s.knock(from, &key_package))
            }
            Input::Leave { who } => self.leave(who),
            Input::LogSince { from, epoch } => self.answer(from, |s| s.log_since(from, epoch)),
            Input::Nack { from, commit } => self.answer(from, |s| s.nack(from, commit)),
            Input::Ready { from, epoch } => {
                if self.live_leaf(from).is_some() && self.epoch() >= Some(epoch) {
                    self.confirm(from, epoch);
                }
            }
            Input::Resume { who, challenge, signature } => {
                self.answer(who, |s| s.resume(who, &challenge, &signature));
            }
            Input::Timeout => {}
        }
    }

    fn answer(
        &mut self,
        who: ParticipantId,
        act: impl FnOnce(&mut Self) -> Result<(), RequestRefusal>,
    ) {
        if let Err(why) = act(self) {
            self.send(who, ToDevice::Refused { why });
        }
    }

    fn connected(&mut self, who: ParticipantId) -> Result<(), RequestRefusal> {
        if self.devices.contains_key(&who) {
            return Err(RequestRefusal::Twice);
        }
        let strangers = self.devices.values().filter(|device| device.leaf.is_none()).count();
        if strangers >= MAX_STRANGERS {
            return Err(RequestRefusal::Full);
        }
        self.devices.insert(who, Device::new());
        Ok(())
    }

    fn resume(
        &mut self,
        who: ParticipantId,
        challenge: &[u8; 32],
        signature: &[u8],
    ) -> Result<(), RequestRefusal> {
        let group = self.group.as_ref().ok_or(RequestRefusal::NotMember)?;
        let device = self.devices.get(&who).ok_or(RequestRefusal::NotMember)?;
        let leaf = device.leaf.filter(|leaf| !group.unwanted.contains(leaf));
        let leaf = leaf.ok_or(RequestRefusal::NotMember)?;
        let statement = resume_statement(challenge);
        if !group.state.verify_leaf(leaf, &statement, signature) {
            return Err(RequestRefusal::NotMember);
        }
        let Some(device) = self.devices.get_mut(&who) else { return Ok(()) };
        device.connected = true;
        device.lost_at = None;
        let entry = device.entry.as_ref().map(|entry| entry.message.clone());
        self.forget_told(who);
        self.send(who, ToDevice::Resumed);
        // Perhaps it was lost with the connection.
        if let Some(message) = entry {
            self.send(who, message);
        }
        Ok(())
    }

    fn disconnected(&mut self, who: ParticipantId) {
        self.withdraw(who);
        let lost_at = self.now + VANISH_AFTER;
        let Some(device) = self.devices.get_mut(&who) else { return };
        if device.leaf.is_none() {
            self.devices.remove(&who);
        } else if device.connected {
            device.connected = false;
            device.lost_at = Some(lost_at);
        }
    }

    fn leave(&mut self, who: ParticipantId) {
        let leaf = self.devices.get(&who).and_then(|device| device.leaf);
        self.disconnected(who);
        if let Some(leaf) = leaf {
            self.unwant(leaf);
        }
    }

    fn notice_vanished(&mut self) {
        let now = self.now;
        let mut vanished = Vec::new();
        for device in self.devices.values_mut() {
            if device.lost_at.is_some_and(|at| at <= now) {
                device.lost_at = None;
                vanished.extend(device.leaf);
            }
        }
        for leaf in vanished {
            self.unwant(leaf);
        }
        let late = |device: &Device| {
            let entry = device.entry.as_ref().filter(|_| device.connected);
            entry.is_some_and(|entry| entry.deadline <= now)
        };
        let late: Vec<_> =
            self.devices.iter().filter(|(_, device)| late(device)).map(|(who, _)| *who).collect();
        for who in late {
            let leaf = self.live_leaf(who);
            if let Some(device) = self.devices.get_mut(&who) {
                device.entry = None;
            }
            if let Some(leaf) = leaf {
                self.add_again(who, leaf);
            }
        }
        // Whoever is neither there nor in the group is nobody.
        self.devices.retain(|_, device| device.connected || device.leaf.is_some());
    }

    fn app(&mut self, from: ParticipantId, message: &[u8]) -> Result<(), RequestRefusal> {
        if message.len() > MAX_APP_LEN {
            return Err(RequestRefusal::Malformed);
        }
        self.live_leaf(from).ok_or(RequestRefusal::NotMember)?;
        self.keep_pace(from, APPS, |paces| &mut paces.apps)?;
        let others = self.live();
        let group = self.group.as_mut().ok_or(RequestRefusal::NotMember)?;
        let sent_in = group.state.message_epoch(message).ok_or(RequestRefusal::Malformed)?;
        let message: Arc<[u8]> = message.into();
        for (to, _) in others {
            if to != from {
                self.send(to, ToDevice::App { message: Arc::clone(&message) });
            }
        }
        self.confirm(from, sent_in);
        Ok(())
    }

    fn fetch(&mut self, from: ParticipantId) -> Result<(), RequestRefusal> {
        self.require_connected(from)?;
        if !self.may_fetch(from) {
            return Err(RequestRefusal::NotAllowed);
        }
        self.keep_pace(from, FETCHES, |paces| &mut paces.fetches)?;
        let group = self.group.as_mut().ok_or(RequestRefusal::NotAllowed)?;
        let tree = group.tree().ok_or(RequestRefusal::NotAllowed)?;
        let group_info = Arc::clone(&group.group_info);
        self.send(from, ToDevice::Group { group_info, tree });
        Ok(())
    }

    fn log_since(&mut self, from: ParticipantId, epoch: u64) -> Result<(), RequestRefusal> {
        self.keep_pace(from, FETCHES, |paces| &mut paces.fetches)?;
        let Some((leaf, group)) = self.live_leaf(from).zip(self.group.as_ref()) else {
            // It was removed while it was away.
            self.knock_again(from);
            return Ok(());
        };
        let Some(mut messages) = group.log.since(epoch, group.epoch()) else {
            // Too much was missed.
            self.add_again(from, leaf);
            return Ok(());
        };
        messages.extend(group.proposals.values().cloned());
        self.send(from, ToDevice::Log { messages });
        self.confirm(from, epoch);
        Ok(())
    }

    /// Tells all that all who are there have the epoch's keys, once.
    fn announce_ready(&mut self) {
        let Some(group) = self.group.as_ref().filter(|group| !group.all_ready) else { return };
        let epoch = group.epoch();
        // Whoever is found first to lack them is reason enough: all say so one by one.
        let lacks = |(who, device): (&ParticipantId, &Device)| {
            device.ready < Some(epoch) && self.live_leaf(*who).is_some()
        };
        if self.devices.iter().any(lacks) {
            return;
        }
        let live = self.live();
        let Some(group) = self.group.as_mut().filter(|_| !live.is_empty()) else { return };
        group.all_ready = true;
        for (who, _) in live {
            self.send(who, ToDevice::AllReady { epoch });
        }
    }

    /// Tells those outside the group what they set out by.
    fn announce_meeting(&mut self) {
        let flags = (self.is_alive(), self.has_admitter());
        let outside: Vec<_> = self
            .devices
            .iter()
            .filter(|(who, device)| {
                device.connected && device.told != Some(flags) && self.member_leaf(**who).is_none()
            })
            .map(|(who, _)| *who)
            .collect();
        for who in outside {
            self.tell_meeting(who, flags);
        }
    }

    fn tell_meeting(&mut self, who: ParticipantId, flags: (bool, bool)) {
        let (has_group, has_admitter) = flags;
        if let Some(device) = self.devices.get_mut(&who) {
            device.told = Some(flags);
        }
        let server_key = *self.key.public();
        self.send(who, ToDevice::Meeting { server_key, has_group, has_admitter });
    }

    /// A device comes in anew, by what the meeting is like now.
    pub(crate) fn knock_again(&mut self, who: ParticipantId) {
        if self.is_connected(who) {
            self.tell_meeting(who, (self.is_alive(), self.has_admitter()));
            self.send(who, ToDevice::KnockAgain);
        }
    }

    /// Whether someone is in the group who is there or may come back.
    pub(crate) fn is_alive(&self) -> bool {
        self.devices.keys().any(|who| self.is_member(*who))
    }

    fn has_admitter(&self) -> bool {
        self.devices.keys().any(|who| self.is_admitter(*who))
    }

    fn next_timeout(&self) -> Option<Instant> {
        let lost = self.devices.values().filter_map(|device| device.lost_at);
        let connected = self.devices.values().filter(|device| device.connected);
        let entries = connected.filter_map(|device| Some(device.entry.as_ref()?.deadline));
        let group = self.group.as_ref();
        let slot = group.and_then(|group| group.slot.as_ref()).map(|slot| slot.deadline);
        lost.chain(entries).chain(slot).min()
    }

    pub(crate) fn now_unix_s(&self) -> u64 {
        let (then, unix_s) = self.clock;
        unix_s + self.now.saturating_duration_since(then).as_secs()
    }

    pub(crate) fn send(&mut self, to: ParticipantId, message: ToDevice) {
        self.outputs.push_back(Output::Send { to, message });
    }

    pub(crate) fn is_connected(&self, who: ParticipantId) -> bool {
        self.devices.get(&who).is_some_and(|device| device.connected)
    }

    /// Counts one request of a device.
    pub(crate) fn keep_pace(
        &mut self,
        who: ParticipantId,
        limit: Limit,
        pace: impl FnOnce(&mut Paces) -> &mut Pace,
    ) -> Result<(), RequestRefusal> {
        let now = self.now;
        let device = self.devices.get_mut(&who).ok_or(RequestRefusal::NotAllowed)?;
        let allowed = pace(&mut device.paces).allows(now, limit);
        if allowed { Ok(()) } else { Err(RequestRefusal::TooOften) }
    }

    pub(crate) fn require_connected(&self, who: ParticipantId) -> Result<(), RequestRefusal> {
        if self.is_connected(who) { Ok(()) } else { Err(RequestRefusal::NotAllowed) }
    }

    /// The leaf of a member that is connected and is not to go.
    pub(crate) fn live_leaf(&self, who: ParticipantId) -> Option<u32> {
        self.member_leaf(who).filter(|_| self.is_connected(who))
    }

    /// The leaf of a member that is not to go.
    fn member_leaf(&self, who: ParticipantId) -> Option<u32> {
        let group = self.group.as_ref()?;
        let leaf = self.devices.get(&who)?.leaf?;
        let stays = group.view.leaves.contains_key(&leaf) && !group.unwanted.contains(&leaf);
        stays.then_some(leaf)
    }

    /// The members that are connected and are not to go, with their leaves.
    pub(crate) fn live(&self) -> Vec<(ParticipantId, u32)> {
        self.devices.keys().filter_map(|who| Some((*who, self.live_leaf(*who)?))).collect()
    }

    /// All members that are known, with their leaves.
    pub(crate) fn leaves(&self) -> BTreeMap<ParticipantId, u32> {
        self.devices.iter().filter_map(|(who, device)| Some((*who, device.leaf?))).collect()
    }
}

impl fmt::Debug for DeliveryService {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DeliveryService")
            .field("epoch", &self.epoch())
            .field("devices", &self.devices.len())
            .finish_non_exhaustive()
    }
}
