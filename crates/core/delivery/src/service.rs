use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::sync::Arc;
use std::time::Instant;

use conclave_commit_rules::Constitution;
use conclave_model::ParticipantId;

use crate::group::Group;
use crate::key::ProposalKey;
use crate::limits::{MAX_APP_LEN, MAX_STRANGERS, VANISH_AFTER};
use crate::lobby::Lobby;
use crate::message::{CommitHash, Input, Output, RequestRefusal, ToDevice, resume_statement};

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
    pub(crate) outputs: VecDeque<Output>,
    /// The public state has changed since it was last told.
    pub(crate) dirty: bool,
}

/// A device of the meeting, in the group or not.
#[derive(Debug)]
pub(crate) struct Device {
    pub(crate) token_hash: [u8; 32],
    pub(crate) connected: bool,
    pub(crate) leaf: Option<u32>,
    /// When its removal is proposed, if its socket is gone.
    pub(crate) lost_at: Option<Instant>,
    /// What it needs to enter, until it has.
    pub(crate) entry: Option<EntryState>,
}

/// The group as it was when a newcomer was let in: its Welcome fits no later tree.
#[derive(Debug)]
pub(crate) struct EntryState {
    pub(crate) epoch: u64,
    pub(crate) commit: CommitHash,
    pub(crate) tree: Arc<[u8]>,
    pub(crate) group_info: Arc<[u8]>,
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
            outputs: VecDeque::new(),
            dirty: false,
        }
    }

    /// The epoch of the group, if there is one.
    pub fn epoch(&self) -> Option<u64> {
        self.group.as_ref().map(Group::epoch)
    }

    /// Takes one event. `now` must not go backwards between calls.
    pub fn handle_input(&mut self, now: Instant, input: Input) {
        self.now = now;
        self.dispatch(input);
        self.judge_slot();
        self.notice_vanished();
        self.pursue_removals();
        self.relay_knocks();
        self.move_gates();
        if std::mem::take(&mut self.dirty) {
            self.outputs.push_back(Output::Persist);
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
                    let epoch = self.epoch().unwrap_or_default();
                    self.send(from, ToDevice::Rejected { epoch, why });
                }
            }
            Input::Connected { who, token_hash } => {
                self.answer(who, |s| s.connected(who, token_hash));
            }
            Input::Deny { from, knocker } => self.answer(from, |s| s.deny(from, knocker)),
            Input::Disconnected { who } => self.disconnected(who),
            Input::Expel { who } => self.expel(who),
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
            Input::Resume { who, token_hash, challenge, signature } => {
                self.answer(who, |s| s.resume(who, token_hash, &challenge, &signature));
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

    fn connected(
        &mut self,
        who: ParticipantId,
        token_hash: [u8; 32],
    ) -> Result<(), RequestRefusal> {
        if self.devices.contains_key(&who) {
            return Err(RequestRefusal::Twice);
        }
        let strangers = self.devices.values().filter(|device| device.leaf.is_none()).count();
        if strangers >= MAX_STRANGERS {
            return Err(RequestRefusal::Full);
        }
        let device = Device { token_hash, connected: true, leaf: None, lost_at: None, entry: None };
        self.devices.insert(who, device);
        Ok(())
    }

    fn resume(
        &mut self,
        who: ParticipantId,
        token_hash: [u8; 32],
        challenge: &[u8; 32],
        signature: &[u8],
    ) -> Result<(), RequestRefusal> {
        let group = self.group.as_ref().ok_or(RequestRefusal::NotMember)?;
        let device = self.devices.get(&who).ok_or(RequestRefusal::NotMember)?;
        let leaf = device.leaf.filter(|leaf| !group.unwanted.contains(leaf));
        let leaf = leaf.ok_or(RequestRefusal::NotMember)?;
        let statement = resume_statement(challenge);
        if device.token_hash != token_hash || !group.state.verify_leaf(leaf, &statement, signature)
        {
            return Err(RequestRefusal::NotMember);
        }
        let epoch = group.epoch();
        if let Some(device) = self.devices.get_mut(&who) {
            device.connected = true;
            device.lost_at = None;
        }
        self.forget_told(who);
        self.send(who, ToDevice::Resumed { epoch });
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

    fn expel(&mut self, who: ParticipantId) {
        if self.lobby.contains(who) {
            self.withdraw(who);
            self.send(who, ToDevice::Denied);
        }
        if let Some(leaf) = self.devices.get(&who).and_then(|device| device.leaf) {
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
        // Whoever is neither there nor in the group is nobody.
        self.devices.retain(|_, device| device.connected || device.leaf.is_some());
    }

    fn app(&mut self, from: ParticipantId, message: &[u8]) -> Result<(), RequestRefusal> {
        if message.len() > MAX_APP_LEN {
            return Err(RequestRefusal::Malformed);
        }
        self.live_leaf(from).ok_or(RequestRefusal::NotMember)?;
        let others = self.live();
        let group = self.group.as_mut().ok_or(RequestRefusal::NotMember)?;
        let sent_in = group.state.message_epoch(message).ok_or(RequestRefusal::Malformed)?;
        group.seq += 1;
        let seq = group.seq;
        let message: Arc<[u8]> = message.into();
        for (to, _) in others {
            if to != from {
                self.send(to, ToDevice::App { seq, message: Arc::clone(&message) });
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
        let entry = self.devices.get(&from).and_then(|device| device.entry.as_ref());
        let message = match (entry, &mut self.group) {
            (Some(entry), _) => ToDevice::Group {
                epoch: entry.epoch,
                group_info: Arc::clone(&entry.group_info),
                tree: Arc::clone(&entry.tree),
            },
            (None, Some(group)) => ToDevice::Group {
                epoch: group.epoch(),
                group_info: Arc::clone(&group.group_info),
                tree: group.tree().ok_or(RequestRefusal::NotAllowed)?,
            },
            (None, None) => return Err(RequestRefusal::NotAllowed),
        };
        self.send(from, message);
        Ok(())
    }

    fn log_since(&mut self, from: ParticipantId, epoch: u64) -> Result<(), RequestRefusal> {
        self.live_leaf(from).ok_or(RequestRefusal::NotMember)?;
        let group = self.group.as_ref().ok_or(RequestRefusal::NotMember)?;
        let now = group.epoch();
        let mut messages = group.log.since(epoch, now).ok_or(RequestRefusal::LogTooShort)?;
        messages.extend(group.proposals.values().cloned());
        self.send(from, ToDevice::Log { messages, epoch: now });
        Ok(())
    }

    fn next_timeout(&self) -> Option<Instant> {
        let lost = self.devices.values().filter_map(|device| device.lost_at);
        let group = self.group.as_ref();
        let duty = group.and_then(|group| group.duty.as_ref()).map(crate::removal::Duty::next);
        let slot = group.and_then(|group| group.slot.as_ref()).map(|slot| slot.deadline);
        lost.chain(duty).chain(slot).min()
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

    pub(crate) fn require_connected(&self, who: ParticipantId) -> Result<(), RequestRefusal> {
        if self.is_connected(who) { Ok(()) } else { Err(RequestRefusal::NotAllowed) }
    }

    /// The leaf of a member that is connected and is not to go.
    pub(crate) fn live_leaf(&self, who: ParticipantId) -> Option<u32> {
        let group = self.group.as_ref()?;
        let device = self.devices.get(&who).filter(|device| device.connected)?;
        device.leaf.filter(|leaf| !group.unwanted.contains(leaf))
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
