//! Coming in: by knocking, by founding, or alone.

use std::time::Duration;

use conclave_commit_rules::{CredentialId, Mode, Order};
use conclave_mls::{Device, DeviceError, Group, JoinError, ServerKey};

use crate::input::Now;
use crate::output::{Output, ToServer};
use crate::session::follow::hash;
use crate::session::member::Member;
use crate::session::{Coming, Knocking, Meeting, Phase, Session, Setup};
use crate::verify::{self, Failure};

/// How long someone knocks at an open meeting before coming in alone: letting people in by
/// batches costs the others less.
const KNOCK_PATIENCE: Duration = Duration::from_secs(3);

/// How often it asks for what it waits for, while it is not answered.
const ASK_EVERY: Duration = Duration::from_secs(5);

/// How often it knocks with the same key package, to make sure.
const KNOCK_EVERY: Duration = Duration::from_secs(30);

/// How long the server may take to order a founding or an external commit.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);

/// How long it waits after its first commit in vain; then ever longer.
const FIRST_PAUSE: Duration = Duration::from_millis(100);

/// How often a device that cannot open its Welcomes comes again by itself.
const MAX_TRIES: u32 = 3;

impl Session {
    pub(super) fn meeting(&mut self, meeting: Meeting) {
        self.meeting = Some(meeting);
        let founds = !meeting.has_group && self.may_found();
        let ask_at = self.ask_at();
        match &mut self.phase {
            Phase::Start => self.begin(),
            // The group that it wanted to come into is gone.
            Phase::Coming(_) if !meeting.has_group => self.begin(),
            Phase::Knocking(_) if founds => self.begin(),
            Phase::Knocking(knocking) => knocking.ask_at = ask_at,
            Phase::Coming(_)
            | Phase::Ended(_)
            | Phase::Failed(_)
            | Phase::Founding(_)
            | Phase::In(_)
            | Phase::Proving(_)
            | Phase::Removed => {}
        }
    }

    /// When a device that begins to knock now asks to come in alone.
    fn ask_at(&self) -> Duration {
        let has_admitter = self.meeting.is_some_and(|meeting| meeting.has_admitter);
        let waits = has_admitter && !self.setup.holds_host_key;
        let patience = if waits { KNOCK_PATIENCE } else { Duration::ZERO };
        (self.now.at + patience).max(self.not_before)
    }

    pub(super) fn has_group(&self) -> bool {
        self.meeting.is_some_and(|meeting| meeting.has_group)
    }

    fn may_found(&self) -> bool {
        let before_host = self.constitution.as_ref().is_some_and(|c| c.join_before_host);
        self.setup.holds_host_key || before_host
    }

    /// The server has lost step with this device. Who has stopped for a reason stays stopped, so
    /// that nobody is moved from a group that broke the rules into another unasked.
    pub(super) fn knock_again(&mut self) {
        match &self.phase {
            Phase::In(member) if member.trouble.is_none() => {
                self.former = Some(member.group.former());
                self.begin();
            }
            Phase::Failed(Failure::Join(JoinError::Malformed | JoinError::Welcome))
                if self.tries < MAX_TRIES =>
            {
                self.tries += 1;
                self.begin();
            }
            Phase::Knocking(knocking) => {
                // Perhaps it was let in, and never heard of it.
                self.former = Some(knocking.device.former());
                self.begin();
            }
            Phase::Coming(_) | Phase::Founding(_) => self.begin(),
            Phase::Ended(_)
            | Phase::Failed(_)
            | Phase::In(_)
            | Phase::Proving(_)
            | Phase::Removed
            | Phase::Start => {}
        }
    }

    /// Makes a device and sets out with it.
    pub(super) fn begin(&mut self) {
        match self.device() {
            Ok(device) if self.setup.holds_host_key => {
                self.out.push_back(Output::SignHost(device.host_statement()));
                self.phase = Phase::Proving(Box::new(device));
            }
            Ok(device) => self.set_out(device),
            Err(failure) => self.fail(failure),
        }
    }

    fn device(&mut self) -> Result<Device, Failure> {
        let constitution = self.constitution.clone();
        let constitution = constitution.ok_or(Failure::Device(DeviceError::Keys))?;
        let nonce = self.draw();
        let credential = CredentialId(*self.draw());
        let Setup { keys, profile, .. } = &self.setup;
        let sealed = keys.meta.seal_profile(*nonce, profile).map_err(|_| Failure::Identity)?;
        let sealed = sealed.as_bytes().to_vec();
        let mut device =
            Device::new(constitution, &keys.psk, credential, sealed).map_err(Failure::Device)?;
        if let Some(former) = &self.former {
            device.succeed(former).map_err(Failure::Device)?;
        }
        Ok(device)
    }

    pub(super) fn proved(&mut self, signature: [u8; 64]) {
        if matches!(self.phase, Phase::Proving(_))
            && let Phase::Proving(mut device) = self.take_phase()
        {
            match device.prove_host(signature) {
                Ok(()) => self.set_out(*device),
                Err(_) => self.fail(Failure::HostProof),
            }
        }
    }

    /// Takes what the phase holds; the caller goes on to another.
    fn take_phase(&mut self) -> Phase {
        std::mem::replace(&mut self.phase, Phase::Start)
    }

    fn set_out(&mut self, device: Device) {
        let Some(meeting) = self.meeting else {
            self.phase = Phase::Start;
            return;
        };
        if !meeting.has_group && self.may_found() {
            self.found(device, meeting.server);
        } else {
            self.knock(device);
        }
    }

    fn found(&mut self, device: Device, server: ServerKey) {
        let nonce = self.draw();
        let classification = self.constitution.as_ref().map(|c| c.classification);
        let order =
            Order { classification: classification.unwrap_or_default(), ..Order::default() };
        let group = match Group::found(device, &order, server, *nonce, self.now.unix_s) {
            Ok(group) => group,
            Err(error) => return self.fail(Failure::Found(error)),
        };
        let Some((info, tree)) = group.group_info().ok().zip(group.tree().ok()) else {
            return self.fail(Failure::Found(conclave_mls::FoundError::Library));
        };
        self.out.push_back(Output::Send(ToServer::Found { info, tree }));
        self.asked_at = self.now.at;
        self.phase = Phase::Founding(Box::new(group));
    }

    pub(super) fn founded(&mut self) {
        if matches!(self.phase, Phase::Founding(_))
            && let Phase::Founding(group) = self.take_phase()
        {
            self.enter(*group);
        }
    }

    pub(super) fn found_lost(&mut self) {
        if let Some(meeting) = &mut self.meeting {
            meeting.has_group = true;
        }
        if matches!(self.phase, Phase::Founding(_)) {
            self.begin();
        }
    }

    fn knock(&mut self, device: Device) {
        match device.key_package(self.now.unix_s) {
            Ok(key_package) => {
                let ask_at = self.ask_at();
                let knocking = Knocking { device, key_package, ask_at, asked: false };
                self.phase = Phase::Knocking(Box::new(knocking));
                self.ask();
            }
            Err(error) => self.fail(Failure::Device(error)),
        }
    }

    /// When to do something at the door if nobody answers.
    pub(super) fn door_deadline(&self) -> Option<Duration> {
        match &self.phase {
            Phase::Coming(_) | Phase::Founding(_) => Some(self.asked_at + ANSWER_WITHIN),
            Phase::Knocking(knocking) => {
                let again = self.asked_at + KNOCK_EVERY;
                Some(self.comes_alone(knocking).map_or(again, |ask_at| ask_at.min(again)))
            }
            Phase::Ended(_)
            | Phase::Failed(_)
            | Phase::In(_)
            | Phase::Proving(_)
            | Phase::Removed
            | Phase::Start => None,
        }
    }

    /// When to ask for the group's description, if a device may come in alone: a host's always,
    /// anybody's where the link is all that it takes.
    fn comes_alone(&self, knocking: &Knocking) -> Option<Duration> {
        let open = self.constitution.as_ref().is_some_and(|c| c.mode == Mode::OpenLink);
        let may = self.has_group() && (open || knocking.device.is_host());
        may.then_some(knocking.ask_at)
    }

    pub(super) fn door_timeout(&mut self) {
        if self.door_deadline().is_none_or(|at| self.now.at < at) {
            return;
        }
        let now = self.now.at;
        if let Phase::Knocking(knocking) = &self.phase
            && self.comes_alone(knocking).is_some_and(|at| at <= now)
            && let Phase::Knocking(knocking) = &mut self.phase
        {
            // The server shows the group to hosts who knock, and, unless the meeting is locked,
            // to everybody where it is open.
            knocking.asked = true;
            knocking.ask_at = now + ASK_EVERY;
            self.out.push_back(Output::Send(ToServer::WantGroupInfo));
            return;
        }
        self.ask();
    }

    /// Asks, or asks again, for what it waits for.
    fn ask(&mut self) {
        let message = match &self.phase {
            Phase::Coming(coming) => ToServer::Commit(coming.rejoining.outgoing().clone()),
            Phase::Founding(group) => {
                let Some((info, tree)) = group.group_info().ok().zip(group.tree().ok()) else {
                    return;
                };
                ToServer::Found { info, tree }
            }
            Phase::Knocking(knocking) => ToServer::Knock(knocking.key_package.clone()),
            Phase::Ended(_)
            | Phase::Failed(_)
            | Phase::In(_)
            | Phase::Proving(_)
            | Phase::Removed
            | Phase::Start => return,
        };
        self.asked_at = self.now.at;
        self.out.push_back(Output::Send(message));
    }

    pub(super) fn denied(&mut self) {
        if matches!(self.phase, Phase::Knocking(_)) {
            self.fail(Failure::Denied);
        }
    }

    /// Comes in alone. Unless it is a host, it does so with another device, so that the Welcome of
    /// an admitter is not lost who is quicker.
    pub(super) fn come_in(&mut self, info: &[u8], tree: &[u8]) {
        if !matches!(&self.phase, Phase::Knocking(knocking) if knocking.asked) {
            return;
        }
        let Phase::Knocking(knocking) = self.take_phase() else { return };
        let (device, knocking) = if knocking.device.is_host() {
            (Ok(knocking.device), None)
        } else {
            (self.device(), Some(*knocking))
        };
        let rejoining =
            device.and_then(|device| Group::rejoin(device, info, tree).map_err(Failure::Join));
        match rejoining {
            Ok(rejoining) => {
                self.phase = Phase::Coming(Box::new(Coming { rejoining, knocking }));
                self.ask();
            }
            Err(failure) => self.fail(failure),
        }
    }

    pub(super) fn came_in(&mut self, epoch: u64) {
        if self.is_coming_at(epoch)
            && let Phase::Coming(coming) = self.take_phase()
        {
            self.enter(coming.rejoining.confirm());
        }
    }

    /// Another commit was first: the external commit is made anew, on the new epoch, after a pause
    /// in which others who come get through.
    pub(super) fn come_again(&mut self, epoch: u64) {
        if !self.is_coming_at(epoch) {
            return;
        }
        let Phase::Coming(coming) = self.take_phase() else { return };
        let [random] = *self.draw();
        let longest = FIRST_PAUSE * 2_u32.pow(self.tries.min(6));
        self.not_before = self.now.at + longest.mul_f64(f64::from(random) / 255.0);
        self.tries = self.tries.saturating_add(1);
        match coming.knocking {
            Some(mut knocking) => {
                (knocking.asked, knocking.ask_at) = (false, self.not_before);
                self.phase = Phase::Knocking(Box::new(knocking));
            }
            None => self.begin(),
        }
    }

    fn is_coming_at(&self, epoch: u64) -> bool {
        matches!(&self.phase, Phase::Coming(c) if c.rejoining.outgoing().epoch == epoch)
    }

    pub(super) fn welcomed(&mut self, welcome: &[u8], tree: &[u8]) {
        let knocks = match &self.phase {
            Phase::Coming(coming) => coming.knocking.is_some(),
            Phase::Knocking(_) => true,
            Phase::Ended(_)
            | Phase::Failed(_)
            | Phase::Founding(_)
            | Phase::In(_)
            | Phase::Proving(_)
            | Phase::Removed
            | Phase::Start => false,
        };
        if !knocks {
            return;
        }
        let device = match self.take_phase() {
            Phase::Knocking(knocking) => Some(knocking.device),
            Phase::Coming(coming) => coming.knocking.map(|knocking| knocking.device),
            Phase::Ended(_)
            | Phase::Failed(_)
            | Phase::Founding(_)
            | Phase::In(_)
            | Phase::Proving(_)
            | Phase::Removed
            | Phase::Start => None,
        };
        let Some(device) = device else { return };
        // Whoever sends a Welcome has let it in, also if it cannot be opened.
        self.former = Some(device.former());
        match Group::join(device, welcome, tree) {
            Ok(group) => self.enter(group),
            Err(error) => {
                if matches!(error, JoinError::Malformed | JoinError::Welcome) {
                    let commit = hash(welcome);
                    self.out.push_back(Output::Send(ToServer::Nack { epoch: 0, commit }));
                }
                self.fail(Failure::Join(error));
            }
        }
    }

    fn enter(&mut self, mut group: Group) {
        let meta = self.setup.keys.meta.clone();
        if let Err(broken) = group.verify_members(|leaf| verify::identity(&meta, leaf)) {
            return self.fail(Failure::Member(broken));
        }
        let Now { at, .. } = self.now;
        match Member::enter(group, meta, self.setup.previous, at) {
            Some(member) => {
                self.tries = 0;
                self.former = None;
                self.phase = Phase::In(Box::new(member));
            }
            None => self.fail(Failure::Join(JoinError::Library)),
        }
    }

    pub(super) fn connected(&mut self) {
        match &mut self.phase {
            Phase::In(member) => return member.reconnected(),
            Phase::Knocking(knocking) if knocking.asked => knocking.ask_at = self.now.at,
            Phase::Coming(_)
            | Phase::Ended(_)
            | Phase::Failed(_)
            | Phase::Founding(_)
            | Phase::Knocking(_)
            | Phase::Proving(_)
            | Phase::Removed
            | Phase::Start => {}
        }
        self.ask();
    }
}
