//! Coming in: by knocking, by founding, or alone.

use std::time::Duration;

use conclave_commit_rules::{CredentialId, Mode, Order};
use conclave_mls::{Device, Group, ServerKey};

use crate::input::Now;
use crate::output::{Output, ToServer};
use crate::session::member::Member;
use crate::session::{Knocking, Meeting, Phase, Session};
use crate::verify::{self, Failure};

/// How long someone knocks at an open meeting before coming in alone: letting people in by
/// batches costs the others less.
const KNOCK_PATIENCE: Duration = Duration::from_secs(3);

/// How often it asks to come in alone, while it is not answered.
const ASK_EVERY: Duration = Duration::from_secs(5);

impl Session {
    pub(super) fn meeting(&mut self, meeting: Meeting) {
        self.meeting = Some(meeting);
        let founds = !meeting.has_group && self.may_found();
        match &mut self.phase {
            Phase::Start => self.begin(),
            // The group that it wanted to come into is gone.
            Phase::Coming(_) | Phase::Fetching(_) if !meeting.has_group => self.begin(),
            Phase::Knocking(_) if founds => self.begin(),
            Phase::Knocking(knocking) => {
                let patience = if meeting.has_admitter { KNOCK_PATIENCE } else { Duration::ZERO };
                knocking.ask_at = self.now.at + patience;
            }
            Phase::Coming(_)
            | Phase::Ended(_)
            | Phase::Failed(_)
            | Phase::Fetching(_)
            | Phase::Founding(_)
            | Phase::In(_)
            | Phase::Proving(_)
            | Phase::Removed => {}
        }
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
            Phase::In(member) if member.trouble.is_none() => self.begin(),
            Phase::Coming(_)
            | Phase::Fetching(_)
            | Phase::Founding(_)
            | Phase::Knocking(_) => self.begin(),
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
        let Some(constitution) = self.constitution.clone() else { return };
        let nonce = self.draw();
        let credential = CredentialId(*self.draw());
        let Ok(sealed) = self.setup.keys.meta.seal_profile(*nonce, &self.setup.profile) else {
            return self.fail(Failure::Identity);
        };
        let sealed = sealed.as_bytes().to_vec();
        match Device::new(constitution, &self.setup.keys.psk, credential, sealed) {
            Ok(device) if self.setup.holds_host_key => {
                self.out.push_back(Output::SignHost(device.host_statement()));
                self.phase = Phase::Proving(Box::new(device));
            }
            Ok(device) => self.set_out(device),
            Err(error) => self.fail(Failure::Device(error)),
        }
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
        match (meeting.has_group, device.is_host()) {
            (true, true) => self.fetch(device),
            (true, false) => self.knock(device),
            (false, _) if self.may_found() => self.found(device, meeting.server),
            (false, _) => self.knock(device),
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
        let Some(key_package) = self.send_knock(&device) else { return };
        let has_admitter = self.meeting.is_some_and(|meeting| meeting.has_admitter);
        let patience = if has_admitter { KNOCK_PATIENCE } else { Duration::ZERO };
        let ask_at = self.now.at + patience;
        let knocking = Knocking { device, key_package, ask_at, asked: false };
        self.phase = Phase::Knocking(Box::new(knocking));
    }

    fn send_knock(&mut self, device: &Device) -> Option<Vec<u8>> {
        match device.key_package(self.now.unix_s) {
            Ok(key_package) => {
                self.out.push_back(Output::Send(ToServer::Knock(key_package.clone())));
                Some(key_package)
            }
            Err(error) => {
                self.fail(Failure::Device(error));
                None
            }
        }
    }

    /// When to ask for the group's description, at a meeting that anybody may enter alone.
    pub(super) fn knock_deadline(&self, knocking: &Knocking) -> Option<Duration> {
        let open = self.constitution.as_ref().is_some_and(|c| c.mode == Mode::OpenLink);
        (open && self.has_group()).then_some(knocking.ask_at)
    }

    /// At an open meeting, asks to come in alone if nobody opens. The server does not answer while
    /// the meeting is locked.
    pub(super) fn knock_timeout(&mut self) {
        let Phase::Knocking(knocking) = &self.phase else { return };
        if self.knock_deadline(knocking).is_some_and(|at| at <= self.now.at)
            && let Phase::Knocking(knocking) = &mut self.phase
        {
            knocking.asked = true;
            knocking.ask_at = self.now.at + ASK_EVERY;
            self.out.push_back(Output::Send(ToServer::WantGroupInfo));
        }
    }

    pub(super) fn denied(&mut self) {
        if matches!(self.phase, Phase::Knocking(_)) {
            self.fail(Failure::Denied);
        }
    }

    /// A host comes in alone. The server shows the group to whoever knocks as a host.
    fn fetch(&mut self, device: Device) {
        if self.send_knock(&device).is_some() {
            self.out.push_back(Output::Send(ToServer::WantGroupInfo));
            self.phase = Phase::Fetching(Box::new(device));
        }
    }

    pub(super) fn come_in(&mut self, info: &[u8], tree: &[u8]) {
        let device = match self.take_phase() {
            Phase::Fetching(device) => *device,
            Phase::Knocking(knocking) if knocking.asked => knocking.device,
            other => {
                self.phase = other;
                return;
            }
        };
        match Group::rejoin(device, info, tree) {
            Ok(rejoining) => {
                let outgoing = rejoining.outgoing().clone();
                self.out.push_back(Output::Send(ToServer::Commit(outgoing)));
                self.phase = Phase::Coming(Box::new(rejoining));
            }
            Err(error) => self.fail(Failure::Join(error)),
        }
    }

    pub(super) fn came_in(&mut self, epoch: u64) {
        if matches!(&self.phase, Phase::Coming(coming) if coming.outgoing().epoch == epoch)
            && let Phase::Coming(rejoining) = self.take_phase()
        {
            self.enter(rejoining.confirm());
        }
    }

    /// Another commit was first: the external commit is made anew, on the new epoch.
    pub(super) fn come_again(&mut self, epoch: u64) {
        if let Phase::Coming(rejoining) = &self.phase
            && rejoining.outgoing().epoch == epoch
        {
            self.begin();
        }
    }

    pub(super) fn welcomed(&mut self, welcome: &[u8], tree: &[u8]) {
        let device = if matches!(self.phase, Phase::Knocking(_))
            && let Phase::Knocking(knocking) = self.take_phase()
        {
            knocking.device
        } else if matches!(self.phase, Phase::Fetching(_))
            && let Phase::Fetching(device) = self.take_phase()
        {
            *device
        } else {
            return;
        };
        match Group::join(device, welcome, tree) {
            Ok(group) => self.enter(group),
            Err(error) => self.fail(Failure::Join(error)),
        }
    }

    fn enter(&mut self, mut group: Group) {
        let meta = self.setup.keys.meta.clone();
        if let Err(broken) = group.verify_members(|leaf| verify::identity(&meta, leaf)) {
            return self.fail(Failure::Member(broken));
        }
        let Now { at, .. } = self.now;
        match Member::enter(group, meta, self.setup.previous, at) {
            Some(member) => self.phase = Phase::In(Box::new(member)),
            None => self.fail(Failure::Join(conclave_mls::JoinError::Library)),
        }
    }

    pub(super) fn connected(&mut self) {
        match &mut self.phase {
            Phase::In(member) => member.ask_log(),
            Phase::Knocking(knocking) => {
                let knock = ToServer::Knock(knocking.key_package.clone());
                self.out.push_back(Output::Send(knock));
            }
            Phase::Fetching(_) => self.begin(),
            Phase::Coming(rejoining) => {
                let outgoing = rejoining.outgoing().clone();
                self.out.push_back(Output::Send(ToServer::Commit(outgoing)));
            }
            Phase::Founding(group) => {
                if let Some((info, tree)) = group.group_info().ok().zip(group.tree().ok()) {
                    self.out.push_back(Output::Send(ToServer::Found { info, tree }));
                }
            }
            Phase::Ended(_)
            | Phase::Failed(_)
            | Phase::Proving(_)
            | Phase::Removed
            | Phase::Start => {}
        }
    }
}
