#![expect(clippy::wildcard_enum_match_arm, reason = "a test looks for one thing")]

mod property;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use conclave_model::{
    CallId, ConnectionQuality, Mid, ParticipantId, SealedBlob, TokenHash, TrackSource,
};
use conclave_wire::{
    ErrorCode, Joined, LeaveReason, Offer, Presence, PublishedTrack, ServerMessage,
};

use super::{Call, CallConfig};
use crate::input::Input;
use crate::media::{MediaEvent, MediaRequest, PeerId};
use crate::output::Output;
use crate::session::{ConnectionId, ResumeToken, SessionRecord};

const CALL: CallId = CallId(7);

/// A call with a shell that answers at once: the store keeps, the media shard accepts.
struct World {
    now: Instant,
    call: Call,
    deadline: Option<Instant>,
    /// All messages, by connection.
    sent: BTreeMap<ConnectionId, Vec<ServerMessage>>,
    closed: Vec<ConnectionId>,
    released: Vec<ConnectionId>,
    media: Vec<MediaRequest>,
    stored: BTreeMap<ParticipantId, SessionRecord>,
    empty: bool,
    /// The shard answers offers.
    answers: bool,
    tokens: u8,
}

impl World {
    fn new() -> Self {
        Self::with(CallConfig::new(CALL, 100))
    }

    fn with(config: CallConfig) -> Self {
        let now = origin();
        Self {
            now,
            call: Call::new(config, now),
            deadline: None,
            sent: BTreeMap::new(),
            closed: Vec::new(),
            released: Vec::new(),
            media: Vec::new(),
            stored: BTreeMap::new(),
            empty: false,
            answers: true,
            tokens: 0,
        }
    }

    fn feed(&mut self, input: Input) {
        let mut inputs = vec![input];
        self.empty = false;
        while !inputs.is_empty() {
            self.call.handle_input(self.now, inputs.remove(0));
            self.drain(&mut inputs);
        }
    }

    fn drain(&mut self, replies: &mut Vec<Input>) {
        loop {
            match self.call.poll_output() {
                Output::Close { connection, message } => {
                    self.sent.entry(connection).or_default().extend(message);
                    self.closed.push(connection);
                }
                Output::Empty => self.empty = true,
                Output::Forget { participant } => {
                    self.stored.remove(&participant);
                }
                Output::Media(request) => {
                    if let (true, MediaRequest::Offer { peer, generation, .. }) =
                        (self.answers, &request)
                    {
                        let (peer, generation) = (*peer, *generation);
                        let sdp = format!("answer {generation}");
                        replies.push(Input::Media(MediaEvent::Answer { peer, generation, sdp }));
                    }
                    self.media.push(request);
                }
                Output::Persist(record) => {
                    self.stored.insert(record.participant, record);
                    let SessionRecord { participant, token, .. } = record;
                    replies.push(Input::Persisted { participant, token });
                }
                Output::Release { connection, message } => {
                    self.sent.entry(connection).or_default().push(message);
                    self.released.push(connection);
                }
                Output::Send { to, message } => {
                    assert!(!to.is_empty(), "a message to nobody");
                    for connection in to {
                        self.sent.entry(connection).or_default().push(message.clone());
                    }
                }
                Output::Timeout(at) => {
                    self.deadline = at;
                    return;
                }
            }
        }
    }

    /// Lets time go by, firing every timeout on the way.
    fn advance(&mut self, pause: Duration) {
        let end = self.now + pause;
        while let Some(at) = self.deadline.filter(|at| *at <= end) {
            self.now = at.max(self.now);
            self.feed(Input::Timeout);
        }
        self.now = end;
    }

    /// Lets the roster be told.
    fn settle(&mut self) {
        self.advance(Duration::from_millis(700));
    }

    fn token(&mut self) -> ResumeToken {
        self.tokens += 1;
        token(self.tokens)
    }

    fn join(&mut self, connection: u64, tracks: &[(&str, TrackSource)]) {
        let token = self.token();
        self.feed(Input::Join {
            connection: ConnectionId(connection),
            token,
            profile: profile(connection),
            presence: Presence::default(),
            offer: offer(1, tracks),
        });
    }

    fn resume(&mut self, connection: u64, presented: &str, generation: Option<u32>) {
        let token = self.token();
        self.feed(Input::Resume {
            connection: ConnectionId(connection),
            presented: token_of(presented).hash(),
            token,
            profile: profile(connection),
            presence: Presence::default(),
            offer: generation.map(|generation| offer(generation, &[])),
        });
    }

    fn lose(&mut self, connection: u64) {
        self.feed(Input::ConnectionLost { connection: ConnectionId(connection) });
    }

    fn sent(&self, connection: u64) -> &[ServerMessage] {
        self.sent.get(&ConnectionId(connection)).map_or(&[], Vec::as_slice)
    }

    fn joined(&self, connection: u64) -> &Joined {
        let joined = self.sent(connection).iter().rev().find_map(|message| match message {
            ServerMessage::Joined { joined } => Some(joined),
            _ => None,
        });
        joined.expect("joined")
    }

    fn errors(&self, connection: u64) -> Vec<(ErrorCode, bool)> {
        let errors = self.sent(connection).iter().filter_map(|message| match message {
            ServerMessage::Error { code, fatal, .. } => Some((*code, *fatal)),
            _ => None,
        });
        errors.collect()
    }

    fn rosters(&self, connection: u64) -> usize {
        let is_roster = |m: &&ServerMessage| matches!(m, ServerMessage::Roster { .. });
        self.sent(connection).iter().filter(is_roster).count()
    }
}

fn token(n: u8) -> ResumeToken {
    ResumeToken::new(format!("token {n}"), TokenHash::from_bytes([n; 32]))
}

fn token_of(text: &str) -> ResumeToken {
    token(text.strip_prefix("token ").unwrap().parse().unwrap())
}

fn profile(n: u64) -> SealedBlob {
    SealedBlob::new(n.to_be_bytes().to_vec()).unwrap()
}

fn offer(generation: u32, tracks: &[(&str, TrackSource)]) -> Offer {
    Offer { generation, sdp: "offer".to_owned(), tracks: published(tracks) }
}

fn published(tracks: &[(&str, TrackSource)]) -> Vec<PublishedTrack> {
    let track = |(mid, source): &(&str, TrackSource)| PublishedTrack {
        mid: Mid::new(mid).unwrap(),
        source: *source,
    };
    tracks.iter().map(track).collect()
}

const fn peer(participant: u32) -> PeerId {
    PeerId { call: CALL, participant: ParticipantId(participant) }
}

/// Where virtual time begins.
#[expect(clippy::disallowed_methods, reason = "an origin is needed; only differences count")]
fn origin() -> Instant {
    Instant::now()
}

#[test]
fn a_newcomer_gets_its_answer_and_all_others_with_their_publications() {
    let mut world = World::new();
    world.join(1, &[("0", TrackSource::Microphone), ("1", TrackSource::Camera)]);

    world.join(2, &[]);

    let joined = world.joined(2);
    assert_eq!(joined.participant, ParticipantId(2));
    assert_eq!(joined.answer.as_ref().unwrap().sdp, "answer 1");
    assert!(joined.media_alive);
    let [other] = joined.others.as_slice() else { panic!("{:?}", joined.others) };
    assert_eq!(other.id, ParticipantId(1));
    assert_eq!(other.profile, profile(1));
    assert_eq!(other.publications, world.joined(1).publications);
    assert_eq!(other.publications.len(), 2);
}

#[test]
fn nobody_is_told_its_token_before_it_is_kept() {
    let mut call = Call::new(CallConfig::new(CALL, 10), origin());
    let now = origin();
    call.handle_input(
        now,
        Input::Join {
            connection: ConnectionId(1),
            token: token(1),
            profile: profile(1),
            presence: Presence::default(),
            offer: offer(1, &[]),
        },
    );
    let sdp = "answer".to_owned();
    call.handle_input(now, Input::Media(MediaEvent::Answer { peer: peer(1), generation: 1, sdp }));

    let mut outputs = Vec::new();
    loop {
        match call.poll_output() {
            Output::Timeout(_) => break,
            output => outputs.push(output),
        }
    }

    assert!(outputs.iter().any(|output| matches!(output, Output::Persist(_))));
    assert!(!outputs.iter().any(|output| matches!(output, Output::Send { .. })), "{outputs:?}");
}

#[test]
fn those_who_come_at_once_cost_each_device_one_message() {
    let mut world = World::new();
    world.join(1, &[]);
    world.settle();

    for connection in 2..50 {
        world.join(connection, &[]);
    }
    world.settle();

    assert_eq!(world.rosters(1), 1);
    assert_eq!(world.rosters(49), 0, "it was told about all when it came in");
}

#[test]
fn a_publication_keeps_its_id_when_it_is_published_again() {
    let mut world = World::new();
    world.join(1, &[("0", TrackSource::Camera)]);
    let first = world.joined(1).publications.clone();
    let publish = |tracks: &[(&str, TrackSource)]| Input::Publish {
        connection: ConnectionId(1),
        tracks: published(tracks),
    };

    world.feed(publish(&[]));
    world.feed(publish(&[("5", TrackSource::Camera), ("6", TrackSource::Screen)]));
    world.join(2, &[]);

    let seen = &world.joined(2).others[0].publications;
    assert_eq!(seen.len(), 2);
    assert!(seen.contains(&first[0]));
}

#[test]
fn a_lost_socket_keeps_its_place_for_the_grace_period_and_no_longer() {
    let mut world = World::new();
    world.join(1, &[]);
    world.join(2, &[]);
    world.settle();

    world.lose(2);
    world.advance(Duration::from_secs(19));
    let shown_as_lost = world.sent(1).iter().any(|message| {
        matches!(message, ServerMessage::Roster { present, .. }
            if present.iter().any(|info| info.id == ParticipantId(2) && !info.connected))
    });
    assert!(shown_as_lost);
    assert_eq!(world.call.participants(), 2);

    world.advance(Duration::from_secs(2));
    let gone = ServerMessage::Roster {
        present: Vec::new(),
        left: vec![(ParticipantId(2), LeaveReason::Lost)],
    };
    assert!(world.sent(1).contains(&gone));
    assert!(world.media.contains(&MediaRequest::Leave { peer: peer(2) }));
    assert!(!world.stored.contains_key(&ParticipantId(2)));
}

#[test]
fn a_session_that_is_taken_up_is_the_same_participant_with_its_media() {
    let mut world = World::new();
    world.join(1, &[("0", TrackSource::Microphone)]);
    let (audio, video) = (Vec::new(), Vec::new());
    world.feed(Input::Media(MediaEvent::Slots { peer: peer(1), generation: 1, audio, video }));
    let token = world.joined(1).resume_token.clone();
    world.lose(1);

    world.resume(2, &token, None);

    let joined = world.joined(2);
    assert_eq!(joined.participant, ParticipantId(1));
    assert!(joined.media_alive && joined.answer.is_none());
    assert_eq!(joined.publications.len(), 1);
    assert!(world.sent(2).iter().any(|m| matches!(m, ServerMessage::Slots { .. })));
    let offers = world.media.iter().filter(|r| matches!(r, MediaRequest::Offer { .. })).count();
    assert_eq!(offers, 1, "nothing was negotiated again");
}

#[test]
fn media_that_died_is_not_kept() {
    let mut world = World::new();
    world.join(1, &[]);
    let token = world.joined(1).resume_token.clone();
    world.feed(Input::Media(MediaEvent::Disconnected { peer: peer(1), generation: 1 }));
    world.lose(1);

    world.resume(2, &token, None);
    assert!(!world.joined(2).media_alive);
    let connection = ConnectionId(2);
    world.feed(Input::Offer { connection, offer: offer(2, &[]) });

    let answered = world.sent(2).iter().any(
        |message| matches!(message, ServerMessage::Answer { answer } if answer.generation == 2),
    );
    assert!(answered);
}

#[test]
fn a_session_taken_up_elsewhere_ends_the_old_socket() {
    let mut world = World::new();
    world.join(1, &[]);
    let token = world.joined(1).resume_token.clone();

    world.resume(2, &token, Some(2));

    assert_eq!(world.errors(1), [(ErrorCode::Replaced, true)]);
    assert_eq!(world.closed, [ConnectionId(1)]);
    world.lose(1);
    world.settle();
    assert_eq!(world.call.participants(), 1);
    assert_eq!(world.joined(2).answer.as_ref().unwrap().generation, 2);
}

#[test]
fn a_token_that_was_replaced_and_used_is_refused() {
    let mut world = World::new();
    world.join(1, &[]);
    let first = world.joined(1).resume_token.clone();
    world.resume(2, &first, None);
    let second = world.joined(2).resume_token.clone();
    world.resume(3, &second, None);

    world.resume(4, &first, None);

    assert_eq!(world.errors(4), [(ErrorCode::ResumeRefused, false)]);
    assert_eq!(world.released, [ConnectionId(4)]);
}

#[test]
fn a_device_that_missed_the_answer_to_its_resume_can_resume_again() {
    let mut world = World::new();
    world.join(1, &[]);
    let known = world.joined(1).resume_token.clone();
    world.lose(1);
    world.resume(2, &known, None);
    world.lose(2);

    world.resume(3, &known, None);

    assert_eq!(world.joined(3).participant, ParticipantId(1));
}

#[test]
fn an_answer_to_a_lost_sockets_offer_is_not_taken_for_that_to_the_next() {
    let mut world = World::new();
    world.join(1, &[]);
    let known = world.joined(1).resume_token.clone();
    let peer = PeerId { call: CALL, participant: ParticipantId(1) };
    let answer =
        |sdp: &str| Input::Media(MediaEvent::Answer { peer, generation: 1, sdp: sdp.to_owned() });
    world.answers = false;
    world.feed(Input::Offer { connection: ConnectionId(1), offer: offer(1, &[]) });
    world.lose(1);
    world.resume(2, &known, Some(1));

    world.feed(answer("to the first"));
    assert!(world.sent(2).is_empty());
    world.feed(answer("to the second"));

    assert_eq!(world.joined(2).answer.as_ref().unwrap().sdp, "to the second");
}

#[test]
fn after_a_restart_a_known_token_is_the_same_participant_again() {
    let session = |participant, n| SessionRecord {
        participant: ParticipantId(participant),
        token: token(n).hash(),
        proven: None,
    };
    let mut config = CallConfig::new(CALL, 100);
    config.sessions = vec![session(3, 103), session(5, 105)];
    let mut world = World::with(config);

    world.resume(1, "token 105", Some(4));
    world.join(2, &[]);

    assert_eq!(world.joined(1).participant, ParticipantId(5));
    assert_eq!(world.joined(2).participant, ParticipantId(6), "no id is given out twice");
    assert_eq!(world.joined(2).others.len(), 1, "who has not come back is not shown");
    world.advance(Duration::from_secs(61));
    world.resume(3, "token 103", None);
    assert_eq!(world.errors(3), [(ErrorCode::ResumeRefused, false)]);
}

#[test]
fn a_full_call_says_so_and_lets_try_again() {
    let mut world = World::with(CallConfig::new(CALL, 1));
    world.join(1, &[]);

    world.join(2, &[]);
    assert_eq!(world.errors(2), [(ErrorCode::MeetingFull, false)]);
    world.feed(Input::Leave { connection: ConnectionId(1) });
    world.join(2, &[]);

    assert_eq!(world.joined(2).participant, ParticipantId(2));
}

#[test]
fn an_offer_that_is_refused_lets_nobody_in_but_disturbs_nobody() {
    let mut world = World::new();
    world.join(1, &[]);
    world.settle();
    world.answers = false;

    world.join(2, &[]);
    let detail = "not ours".to_owned();
    world.feed(Input::Media(MediaEvent::OfferRefused { peer: peer(2), generation: 1, detail }));
    world.settle();

    assert_eq!(world.errors(2), [(ErrorCode::BadOffer, false)]);
    assert_eq!(world.released, [ConnectionId(2)]);
    assert_eq!(world.rosters(1), 0);
    assert_eq!(world.call.participants(), 1);
}

#[test]
fn a_shard_that_does_not_answer_is_the_servers_fault_in_time() {
    let mut world = World::new();
    world.answers = false;
    world.join(1, &[]);

    world.advance(Duration::from_secs(11));

    assert_eq!(world.errors(1), [(ErrorCode::Internal, true)]);
    assert!(world.empty);
}

#[test]
fn an_offer_of_a_lower_generation_is_refused() {
    let mut world = World::new();
    world.join(1, &[]);
    let connection = ConnectionId(1);
    world.feed(Input::Offer { connection, offer: offer(3, &[]) });

    world.feed(Input::Offer { connection, offer: offer(2, &[]) });

    assert_eq!(world.errors(1), [(ErrorCode::BadOffer, false)]);
}

#[test]
fn a_new_media_session_is_told_again_what_to_show() {
    let mut world = World::new();
    world.join(1, &[]);
    world.join(2, &[("0", TrackSource::Camera)]);
    let publication = world.joined(2).publications[0].id;
    let want = conclave_wire::Want {
        publication,
        width: 640,
        height: 360,
        priority: conclave_wire::TilePriority::Tile,
    };
    let connection = ConnectionId(1);
    world.feed(Input::View { connection, wants: vec![want] });
    world.media.clear();

    world.feed(Input::Offer { connection, offer: offer(2, &[]) });

    assert!(world.media.contains(&MediaRequest::View { peer: peer(1), wants: vec![want] }));
}

#[test]
fn one_who_changes_again_and_again_is_told_of_a_few_times_a_second() {
    let mut world = World::new();
    world.join(1, &[]);
    world.join(2, &[]);
    world.settle();
    let before = world.rosters(1);

    for n in 0..100 {
        let (connection, presence) = (ConnectionId(2), Presence { muted: n % 2 == 0 });
        world.feed(Input::Presence { connection, presence });
        world.advance(Duration::from_millis(10));
    }
    let during = world.rosters(1) - before;
    // Another one is told of meanwhile, and who comes meanwhile misses nothing.
    let presence = Presence { muted: true };
    world.feed(Input::Presence { connection: ConnectionId(2), presence });
    world.join(3, &[]);
    let mark = world.sent(1).len();
    world.advance(Duration::from_millis(60));
    let newcomer = world.sent(1).iter().skip(mark).any(|message| match message {
        ServerMessage::Roster { present, .. } => {
            present.iter().any(|info| info.id == ParticipantId(3))
        }
        _ => false,
    });
    world.settle();

    assert!((2..=4).contains(&during), "{during}");
    assert!(newcomer, "nobody waits for one who changes all the time");
    let last = world.sent(1).iter().rev().find_map(|message| match message {
        ServerMessage::Roster { present, .. } => {
            present.iter().find(|info| info.id == ParticipantId(2)).map(|info| info.presence)
        }
        _ => None,
    });
    assert_eq!(last, Some(presence), "the last word is told");
}

#[test]
fn the_more_are_in_the_longer_changes_are_collected() {
    for (count, wait) in [(20, 50), (21, 200), (101, 500)] {
        let mut world = World::with(CallConfig::new(CALL, 200));
        for connection in 1..=count {
            world.join(connection, &[]);
        }
        world.settle();
        let before = world.rosters(1);

        let presence = Presence { muted: true };
        world.feed(Input::Presence { connection: ConnectionId(2), presence });
        world.advance(Duration::from_millis(wait - 1));
        assert_eq!(world.rosters(1), before, "{count}");
        world.advance(Duration::from_millis(1));
        assert_eq!(world.rosters(1), before + 1, "{count}");
    }
}

#[test]
fn speakers_and_quality_reach_all_and_newcomers() {
    let mut world = World::new();
    world.join(1, &[]);
    let speakers = MediaEvent::Speakers {
        call: CALL,
        active: Some(ParticipantId(1)),
        speaking: vec![ParticipantId(1)],
    };
    world.feed(Input::Media(speakers));
    let quality = ConnectionQuality::Poor;
    world.feed(Input::Media(MediaEvent::Quality { peer: peer(1), quality }));
    world.settle();
    world.join(2, &[]);

    for connection in [1, 2] {
        let sent = world.sent(connection);
        assert!(sent.iter().any(|m| matches!(m, ServerMessage::Speakers { .. })), "{sent:?}");
        assert!(sent.iter().any(|m| matches!(m, ServerMessage::Quality { .. })), "{sent:?}");
    }
}

#[test]
fn events_of_another_call_change_nothing() {
    let mut world = World::new();
    world.join(1, &[]);
    let before = world.sent.clone();

    let stranger = PeerId { call: CallId(8), participant: ParticipantId(1) };
    let (audio, video) = (Vec::new(), Vec::new());
    world.feed(Input::Media(MediaEvent::Slots { peer: stranger, generation: 1, audio, video }));
    let (active, speaking) = (None, Vec::new());
    world.feed(Input::Media(MediaEvent::Speakers { call: CallId(8), active, speaking }));

    assert_eq!(world.sent, before);
}

#[test]
fn who_leaves_is_gone_at_once_and_cannot_come_back_as_the_same() {
    let mut world = World::new();
    world.join(1, &[]);
    let token = world.joined(1).resume_token.clone();

    world.feed(Input::Leave { connection: ConnectionId(1) });

    assert!(world.empty);
    assert!(world.stored.is_empty());
    assert_eq!(world.closed, [ConnectionId(1)]);
    world.resume(2, &token, None);
    assert_eq!(world.errors(2), [(ErrorCode::ResumeRefused, false)]);
}
