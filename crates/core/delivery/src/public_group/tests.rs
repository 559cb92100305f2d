use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use conclave_commit_rules::{Classification, Mode, Order};
use conclave_link::{LinkKeys, LinkSecret};
use conclave_mls::{Device, Group, ServerKey};
use conclave_model::ParticipantId;
use ed25519_dalek::{Signer as _, SigningKey};

use super::*;
use crate::message::{Gate, Input, Output, ToDevice};
use crate::service::DeliveryService;

const HOST: ParticipantId = ParticipantId(1);

/// A meeting of one, with what its host's device says when it founds the group.
struct Meeting {
    constitution: Constitution,
    key: ProposalKey,
    group_info: Vec<u8>,
    tree: Vec<u8>,
}

#[expect(clippy::disallowed_methods, reason = "the library looks at the system's clock itself")]
fn unix_now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

#[expect(clippy::disallowed_methods, reason = "an instant has no other origin")]
fn instant() -> Instant {
    Instant::now()
}

impl Meeting {
    fn new() -> Self {
        let host = SigningKey::from_bytes(&[1; 32]);
        let server = SigningKey::from_bytes(&[2; 32]);
        let server_key = server.verifying_key().to_bytes();
        let constitution = Constitution {
            version: Constitution::VERSION,
            meeting: [7; 16],
            suite: 0x0001,
            mode: Mode::Lobby,
            join_before_host: false,
            host_key: host.verifying_key().to_bytes(),
            issuers: Vec::new(),
            guests: true,
            node_key: [9; 32],
            jurisdictions: Vec::new(),
            gateways: false,
            voice_level: true,
            classification: Classification::Open,
            max_members: 10,
        };
        let meeting = "BwcHBwcHBwcHBwcHBwcHBw".parse().unwrap();
        let link = LinkKeys::derive(&LinkSecret::from_bytes([1; 32]), &meeting).psk;
        let credential = CredentialId([1; 16]);
        let mut device =
            Device::new(constitution.clone(), &link, credential, b"sealed".to_vec()).unwrap();
        device.prove_host(host.sign(&device.host_statement()).to_bytes()).unwrap();
        let order = Order::default();
        let group =
            Group::found(device, &order, ServerKey(server_key), [1; 16], unix_now()).unwrap();
        let (group_info, tree) = (group.group_info().unwrap(), group.tree().unwrap());
        let key = ProposalKey::new(server_key, move |bytes| server.sign(bytes).to_bytes());
        Self { constitution, key, group_info, tree }
    }

    fn state(&self) -> PublicState {
        PublicState::found(&self.constitution, &self.key, &self.group_info, &self.tree).unwrap()
    }
}

#[test]
fn a_change_that_panics_half_way_has_changed_nothing() {
    let meeting = Meeting::new();
    let mut state = meeting.state();
    let before = state.stored();
    let (_, queued) = state.make_removal(0, &meeting.key).unwrap();

    let changed: Option<()> = state.change(|group, storage| {
        group.add_proposal(storage, queued).unwrap();
        assert!(storage.stored() != before, "it is half-way");
        panic!("planted");
    });

    assert_eq!(changed, None);
    assert!(!state.is_lost());
    assert!(state.stored() == before && state.proposed_removals().is_empty());
    assert!(state.propose_removal(0, &meeting.key).is_some(), "the group goes on");
    assert_eq!(state.proposed_removals(), BTreeSet::from([0]));
}

#[test]
fn a_panic_while_the_server_signs_proposes_nothing() {
    let meeting = Meeting::new();
    let mut state = meeting.state();
    let breaks = ProposalKey::new(*meeting.key.public(), |_| panic!("planted"));

    assert_eq!(state.propose_removal(0, &breaks), None);
    assert!(state.proposed_removals().is_empty() && !state.is_lost());
}

#[test]
fn from_a_group_that_cannot_go_on_everybody_comes_in_anew() {
    let Meeting { constitution, key, group_info, tree } = Meeting::new();
    let now = instant();
    let mut service = DeliveryService::new(constitution, key, now, unix_now());
    service.handle_input(now, Input::Connected { who: HOST });
    let found = Input::Found { from: HOST, group_info, tree };
    service.handle_input(now, found.clone());
    assert_eq!(service.epoch(), Some(0));
    while !matches!(service.poll_output(), Output::Timeout(_)) {}

    service.group.as_mut().unwrap().state.give_up();
    service.handle_input(now + Duration::from_secs(1), Input::Timeout);

    let outputs: Vec<_> = std::iter::from_fn(|| {
        let output = service.poll_output();
        (!matches!(output, Output::Timeout(_))).then_some(output)
    })
    .collect();
    let sent = |message| Output::Send { to: HOST, message };
    assert_eq!(service.epoch(), None);
    assert!(outputs.contains(&Output::Gate(Gate::Close { who: HOST })), "{outputs:?}");
    assert!(outputs.contains(&sent(ToDevice::KnockAgain)), "{outputs:?}");
    service.handle_input(now + Duration::from_secs(2), found);
    assert_eq!(service.epoch(), Some(0), "a group is founded anew");
}
