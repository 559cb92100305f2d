//! A meeting, its service, and devices that talk to it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use conclave_commit_rules::{
    Classification, Constitution, CredentialId, IdentityCheck, LeafView, Mode, Order, SUITE_DEFAULT,
};
use conclave_delivery::{DeliveryService, Gate, Input, Output, ProposalKey, Snapshot, ToDevice};
use conclave_link::{LinkKeys, LinkPsk, LinkSecret};
use conclave_mls::{Device, Group, Outgoing, Received, ServerKey};
use conclave_model::ParticipantId;
use openmls::prelude::SignatureScheme;
use openmls_traits::signatures::Signer as _;

#[expect(clippy::disallowed_types, reason = "the meeting's host and server have keys")]
pub(crate) type KeyPair = openmls_basic_credential::SignatureKeyPair;

pub(crate) const HOST: ParticipantId = ParticipantId(1);

pub(crate) struct World {
    pub(crate) constitution: Constitution,
    pub(crate) link: LinkPsk,
    pub(crate) host: KeyPair,
    pub(crate) server: ServerKey,
    server_pair: Arc<KeyPair>,
    pub(crate) service: DeliveryService,
    pub(crate) now: Instant,
    /// What has come, but for what the two below have.
    pub(crate) inbox: BTreeMap<ParticipantId, Vec<ToDevice>>,
    /// What each device was told of the meeting last: has it a group, and an admitter?
    pub(crate) meetings: BTreeMap<ParticipantId, (bool, bool)>,
    /// The last epoch of which each member was told that all have its keys.
    pub(crate) all_ready: BTreeMap<ParticipantId, u64>,
    /// Whose media may flow, by what the service has said.
    pub(crate) open: BTreeMap<ParticipantId, u32>,
    pub(crate) persisted: usize,
    pub(crate) ordered: usize,
    next: u8,
}

#[expect(clippy::disallowed_methods, reason = "the library looks at the system's clock itself")]
pub(crate) fn unix_now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

#[expect(clippy::disallowed_methods, reason = "an instant has no other origin")]
fn instant() -> Instant {
    Instant::now()
}

pub(crate) fn guest(_: &LeafView) -> IdentityCheck {
    IdentityCheck::Guest
}

fn key_pair() -> KeyPair {
    KeyPair::new(SignatureScheme::ED25519).unwrap()
}

pub(crate) fn proposal_key(pair: impl Into<Arc<KeyPair>>) -> ProposalKey {
    let pair = pair.into();
    let public = pair.public().try_into().unwrap();
    ProposalKey::new(public, move |bytes| pair.sign(bytes).unwrap().try_into().unwrap())
}

impl World {
    pub(crate) fn new(mode: Mode) -> Self {
        let (host, server_pair) = (key_pair(), Arc::new(key_pair()));
        let constitution = Constitution {
            version: Constitution::VERSION,
            meeting: [7; 16],
            suite: SUITE_DEFAULT,
            mode,
            join_before_host: false,
            host_key: host.public().try_into().unwrap(),
            issuers: Vec::new(),
            guests: true,
            node_key: [9; 32],
            jurisdictions: Vec::new(),
            gateways: false,
            voice_level: true,
            classification: Classification::Open,
            max_members: 1000,
        };
        let meeting = "BwcHBwcHBwcHBwcHBwcHBw".parse().unwrap();
        let link = LinkKeys::derive(&LinkSecret::from_bytes([1; 32]), &meeting).psk;
        let now = instant();
        let server_key = ServerKey(server_pair.public().try_into().unwrap());
        let key = proposal_key(Arc::clone(&server_pair));
        let service = DeliveryService::new(constitution.clone(), key, now, unix_now());
        Self {
            constitution,
            link,
            host,
            server: server_key,
            server_pair,
            service,
            now,
            inbox: BTreeMap::new(),
            meetings: BTreeMap::new(),
            all_ready: BTreeMap::new(),
            open: BTreeMap::new(),
            persisted: 0,
            ordered: 0,
            next: 0,
        }
    }

    pub(crate) fn proposal_key(&self) -> ProposalKey {
        proposal_key(Arc::clone(&self.server_pair))
    }

    pub(crate) fn device(&mut self) -> Device {
        self.next += 1;
        let credential = CredentialId([self.next; 16]);
        Device::new(self.constitution.clone(), &self.link, credential, b"sealed".to_vec()).unwrap()
    }

    pub(crate) fn host_device(&mut self) -> Device {
        let mut device = self.device();
        let signature = self.host.sign(&device.host_statement()).unwrap();
        device.prove_host(signature.try_into().unwrap()).unwrap();
        device
    }

    pub(crate) fn give(&mut self, input: Input) {
        self.service.handle_input(self.now, input);
        loop {
            match self.service.poll_output() {
                Output::Gate(Gate::Close { who }) => assert!(self.open.remove(&who).is_some()),
                Output::Gate(Gate::Open { who, leaf }) => {
                    self.open.insert(who, leaf);
                }
                Output::Order => self.ordered += 1,
                Output::Persist => self.persisted += 1,
                Output::Send { to, message } => self.receive(to, message),
                Output::Timeout(_) => break,
            }
        }
    }

    fn receive(&mut self, to: ParticipantId, message: ToDevice) {
        match message {
            ToDevice::Meeting { server_key, has_group, has_admitter } => {
                assert_eq!(server_key, self.server.0);
                self.meetings.insert(to, (has_group, has_admitter));
            }
            ToDevice::AllReady { epoch } => {
                self.all_ready.insert(to, epoch);
            }
            message => self.inbox.entry(to).or_default().push(message),
        }
    }

    /// The process is gone, and another goes on with the bytes that were kept.
    pub(crate) fn restart(&mut self) {
        let bytes = self.service.snapshot().unwrap().to_bytes().unwrap();
        let snapshot = Snapshot::from_bytes(&bytes).unwrap();
        let (constitution, key) = (self.constitution.clone(), self.proposal_key());
        self.service =
            DeliveryService::restore(constitution, key, &snapshot, self.now, unix_now()).unwrap();
        self.inbox.clear();
        self.open.clear();
        self.give(Input::Timeout);
    }

    /// A member's socket is back after a restart.
    pub(crate) fn resume(&mut self, who: ParticipantId, member: &Group) {
        let challenge = [5; 32];
        let signature = member.sign_resume(&challenge).unwrap();
        self.give(Input::Resume { who, challenge, signature });
        assert_eq!(self.take(who).first(), Some(&ToDevice::Resumed));
    }

    pub(crate) fn pass(&mut self, time: Duration) {
        self.now += time;
        self.give(Input::Timeout);
    }

    pub(crate) fn connect(&mut self, who: ParticipantId) {
        self.give(Input::Connected { who });
    }

    pub(crate) fn take(&mut self, who: ParticipantId) -> Vec<ToDevice> {
        self.inbox.remove(&who).unwrap_or_default()
    }

    pub(crate) fn found(&mut self) -> Group {
        let device = self.host_device();
        let group =
            Group::found(device, &Order::default(), self.server, [1; 16], unix_now()).unwrap();
        self.connect(HOST);
        let (group_info, tree) = (group.group_info().unwrap(), group.tree().unwrap());
        self.give(Input::Found { from: HOST, group_info, tree });
        assert_eq!(self.take(HOST), [ToDevice::Founded]);
        self.give(Input::Ready { from: HOST, epoch: 0 });
        group
    }

    pub(crate) fn knock(&mut self, who: ParticipantId) -> Device {
        let device = self.device();
        self.connect(who);
        let key_package = device.key_package(unix_now()).unwrap();
        self.give(Input::Knock { from: who, key_package });
        device
    }

    pub(crate) fn submit(&mut self, from: ParticipantId, outgoing: &Outgoing) {
        self.give(commit_of(from, outgoing));
    }

    /// The host and `count` others, participants 1, 2, …, at leaves 0, 1, ….
    pub(crate) fn meeting(&mut self, count: u32) -> Vec<Group> {
        let mut members = vec![self.found()];
        let devices: Vec<_> = (2..count + 2).map(|who| self.knock(ParticipantId(who))).collect();
        let knocks: Vec<_> = self.take(HOST).iter().map(key_package_of).collect();
        let host = &mut members[0];
        let verified = knocks.iter().map(|k| host.verify(k, guest).unwrap()).collect();
        let outgoing = host.admit(unix_now(), verified).unwrap();
        self.submit(HOST, &outgoing);
        host.confirm().unwrap();
        let received = self.take(HOST);
        assert!(matches!(received[..], [ToDevice::Accepted { epoch: 0 }, ..]), "{received:?}");
        for (who, device) in (2..).zip(devices) {
            members.push(self.enter(ParticipantId(who), device));
        }
        members
    }

    /// Takes the Welcome in.
    pub(crate) fn enter(&mut self, who: ParticipantId, device: Device) -> Group {
        let received = self.take(who);
        let Some(ToDevice::Welcome { welcome, tree }) = received.last() else {
            panic!("{received:?}")
        };
        let group = Group::join(device, welcome, tree).unwrap();
        self.give(Input::Ready { from: who, epoch: group.epoch() });
        group
    }

    /// Gives a member all that has come for it.
    pub(crate) fn sync(&mut self, who: ParticipantId, group: &mut Group) {
        for message in self.take(who) {
            let epoch = group.epoch();
            match message {
                ToDevice::Accepted { .. } => {
                    group.confirm().unwrap();
                }
                ToDevice::Commit { commit: bytes } | ToDevice::Proposal { proposal: bytes } => {
                    group.receive(unix_now(), &bytes, guest).unwrap();
                }
                ToDevice::App { message } => {
                    let received = group.receive(unix_now(), &message, guest).unwrap();
                    assert!(matches!(received, Received::Message(_)));
                }
                _ => {}
            }
            if group.epoch() > epoch {
                self.give(Input::Ready { from: who, epoch: group.epoch() });
            }
        }
    }

    pub(crate) fn sync_all(&mut self, members: &mut [Group]) {
        for (who, group) in (1..).zip(members) {
            self.sync(ParticipantId(who), group);
        }
    }
}

pub(crate) fn commit_of(from: ParticipantId, outgoing: &Outgoing) -> Input {
    Input::Commit {
        from,
        commit: outgoing.commit.clone(),
        welcome: outgoing.welcome.clone(),
        group_info: outgoing.group_info.clone(),
    }
}

pub(crate) fn key_package_of(message: &ToDevice) -> Vec<u8> {
    let ToDevice::Knock { key_package, .. } = message else { panic!("{message:?}") };
    key_package.to_vec()
}
