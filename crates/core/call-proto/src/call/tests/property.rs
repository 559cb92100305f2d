//! Whatever happens in whatever order: once it is quiet, each device knows the truth.

use std::collections::BTreeMap;
use std::time::Duration;

use conclave_model::{ParticipantId, TrackSource};
use conclave_wire::{Admitted, ErrorCode, Presence, PublishedTrack, ServerMessage};
use proptest::prelude::*;
use proptest::test_runner::TestCaseError;

use super::world::{World, challenge, offer, published, token_of};
use crate::input::Input;
use crate::session::{ConnectionId, ResumeProof};

const DEVICES: usize = 4;

#[derive(Clone, Copy, Debug)]
enum Step {
    Join(usize),
    Leave(usize),
    Lose(usize),
    Mute(usize, bool),
    Publish(usize, bool),
    Resume(usize),
    /// Reconnects with a new media session.
    ResumeAnew(usize),
    /// Milliseconds.
    Wait(u64),
}

fn step() -> impl Strategy<Value = Step> {
    let device = || 0..DEVICES;
    prop_oneof![
        3 => device().prop_map(Step::Join),
        1 => device().prop_map(Step::Leave),
        3 => device().prop_map(Step::Lose),
        1 => (device(), any::<bool>()).prop_map(|(device, muted)| Step::Mute(device, muted)),
        1 => (device(), any::<bool>()).prop_map(|(device, on)| Step::Publish(device, on)),
        3 => device().prop_map(Step::Resume),
        1 => device().prop_map(Step::ResumeAnew),
        3 => (0..300_u64).prop_map(Step::Wait),
        1 => (15_000..25_000_u64).prop_map(Step::Wait),
    ]
}

/// One device: what it believes of the others comes from its messages alone.
#[derive(Clone, Default)]
struct Device {
    connection: Option<u64>,
    /// The connection that it has, or had last.
    last: Option<u64>,
    read: usize,
    me: Option<ParticipantId>,
    /// It is inside.
    inside: bool,
    token: Option<String>,
    generation: u32,
    others: BTreeMap<ParticipantId, conclave_wire::ParticipantInfo>,
    /// What it last said of itself.
    presence: Presence,
    camera: bool,
}

impl Device {
    fn admit(&mut self, admitted: &Admitted) {
        self.inside = true;
        self.others = admitted.others.iter().map(|o| (o.id, o.clone())).collect();
    }
}

struct Model {
    world: World,
    devices: Vec<Device>,
    next_connection: u64,
}

impl Model {
    fn new() -> Self {
        let devices = vec![Device::default(); DEVICES];
        Self { world: World::new(), devices, next_connection: 1 }
    }

    fn apply(&mut self, step: Step) {
        match step {
            Step::Join(i) => self.join(i),
            Step::Leave(i) => {
                if let Some(connection) = self.devices[i].connection.take() {
                    self.world.devices.remove(&ConnectionId(connection));
                    self.world.feed(Input::Leave { connection: ConnectionId(connection) });
                    self.devices[i] = Device::default();
                }
            }
            Step::Lose(i) => {
                self.read(i);
                if let Some(connection) = self.devices[i].connection.take() {
                    self.world.lose(connection);
                }
            }
            Step::Mute(i, muted) => {
                if let Some(connection) = self.devices[i].connection {
                    let presence = Presence { muted };
                    self.devices[i].presence = presence;
                    let connection = ConnectionId(connection);
                    self.world.feed(Input::Presence { connection, presence });
                }
            }
            Step::Publish(i, on) => {
                if let Some(connection) = self.devices[i].connection
                    && self.devices[i].inside
                {
                    self.devices[i].camera = on;
                    let connection = ConnectionId(connection);
                    self.world.feed(Input::Publish { connection, tracks: tracks(on) });
                }
            }
            Step::Resume(i) => self.resume(i, false),
            Step::ResumeAnew(i) => self.resume(i, true),
            Step::Wait(ms) => self.world.advance(Duration::from_millis(ms)),
        }
        for i in 0..DEVICES {
            self.read(i);
        }
    }

    fn join(&mut self, i: usize) {
        if self.devices[i].connection.is_some() {
            return;
        }
        let connection = self.connect(i);
        let stale = self.devices[i].last.map(ConnectionId);
        self.world.devices.retain(|connection, _| Some(*connection) != stale);
        self.devices[i] =
            Device { connection: Some(connection), generation: 1, ..Device::default() };
        self.world.knock(connection, Some(Vec::new()));
    }

    fn resume(&mut self, i: usize, anew: bool) {
        let Some(presented) = self.devices[i].token.clone() else { return };
        let Some(last) = self.devices[i].last else { return };
        let Some(member) = self.world.devices.remove(&ConnectionId(last)) else { return };
        let connection = self.connect(i);
        let signature = member.session.sign_resume(&challenge(connection)).unwrap_or_default();
        self.world.devices.insert(ConnectionId(connection), member);
        let device = &mut self.devices[i];
        device.connection = Some(connection);
        device.read = 0;
        device.generation += u32::from(anew);
        let mut offer = offer(device.generation, &[]);
        offer.tracks = tracks(device.camera);
        let token = self.world.token();
        self.world.feed(Input::Resume {
            connection: ConnectionId(connection),
            proof: ResumeProof {
                token: token_of(&presented).hash(),
                challenge: challenge(connection),
                signature,
            },
            token,
            presence: device.presence,
            offer: anew.then_some(offer),
        });
    }

    fn connect(&mut self, _: usize) -> u64 {
        self.next_connection += 1;
        self.next_connection
    }

    /// Lets a device read what was sent to it.
    fn read(&mut self, i: usize) {
        let device = &mut self.devices[i];
        let Some(connection) = device.connection else { return };
        device.last = Some(connection);
        let messages = self.world.sent(connection).to_vec();
        for message in messages.iter().skip(device.read) {
            match message {
                ServerMessage::Joined { joined } => {
                    device.me = Some(joined.participant);
                    device.token = Some(joined.resume_token.clone());
                    if let Some(admitted) = &joined.admitted {
                        device.admit(admitted);
                    }
                }
                ServerMessage::Admitted { admitted } => device.admit(admitted),
                ServerMessage::Roster { present, left } => {
                    assert!(device.inside, "no word of others at the door");
                    device.others.extend(present.iter().map(|info| (info.id, info.clone())));
                    for (id, _) in left {
                        device.others.remove(id);
                    }
                }
                ServerMessage::Error { code: ErrorCode::ResumeRefused, .. } => {
                    *device = Device::default();
                    return;
                }
                _ => {}
            }
        }
        device.read = messages.len();
    }

    /// What each connected device believes is what is so.
    fn check(&mut self) -> Result<(), TestCaseError> {
        self.world.advance(Duration::from_secs(40));
        // A grace period may have ended at this very moment, and its end is not told yet.
        while self.world.call.roster.due().is_some() {
            self.world.settle();
        }
        for i in 0..DEVICES {
            self.read(i);
        }
        let truth: BTreeMap<_, _> = self
            .world
            .call
            .participants
            .iter()
            .filter_map(|(id, participant)| Some((*id, participant.info()?)))
            .collect();
        for device in self.devices.iter().filter(|device| device.connection.is_some()) {
            let me = device.me.expect("a connected device has joined");
            prop_assert!(device.inside, "everybody comes in: {me}");
            let own = &truth[&me];
            prop_assert_eq!(own.presence, device.presence);
            prop_assert_eq!(own.publications.len(), usize::from(device.camera));
            prop_assert!(own.connected);
            let mut others = truth.clone();
            others.remove(&me);
            prop_assert_eq!(&device.others, &others);
        }
        Ok(())
    }
}

fn tracks(camera: bool) -> Vec<PublishedTrack> {
    let tracks = [("1", TrackSource::Camera)];
    published(if camera { &tracks } else { &[] })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn every_device_comes_to_know_who_is_in_the_call(
        steps in proptest::collection::vec(step(), 1..40),
    ) {
        let mut model = Model::new();
        for step in steps {
            model.apply(step);
        }
        model.check()?;
    }

    #[test]
    fn a_call_that_all_have_lost_ends_and_leaves_nothing_behind(
        steps in proptest::collection::vec(step(), 1..40),
    ) {
        let mut model = Model::new();
        model.apply(Step::Join(0));
        for step in steps {
            model.apply(step);
        }
        for i in 0..DEVICES {
            model.apply(Step::Lose(i));
        }
        model.world.advance(Duration::from_secs(30));

        prop_assert!(model.world.stored.is_empty());
        prop_assert_eq!(model.world.call.participants(), 0);
        prop_assert!(model.world.call.connections.is_empty());
        prop_assert_eq!(model.world.deadline, None);
    }
}
