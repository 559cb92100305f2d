//! A server that sends a participant its own media back, as another's.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use conclave_client_proto::{EndReason, Event, Sends, Transmit};
use conclave_model::{Mid, ParticipantId, PublicationId};
use conclave_wire::{
    Answer, AudioSlot, ClientMessage, ErrorCode, Joined, Offer, PROTOCOL_VERSION, ServerMessage,
    VideoSlot,
};
use str0m::change::SdpOffer;
use str0m::media::{Direction, KeyframeRequestKind, MediaKind};
use str0m::net::{Protocol, Receive};
use str0m::rtp::{RtpPacket, RtpWrite, SeqNo};
use str0m::{Candidate, Rtc};

use crate::world::{World, other};

pub(crate) struct EchoServer {
    address: SocketAddr,
    rtc: Option<Rtc>,
    deadline: Instant,
    pub(crate) transmits: VecDeque<Transmit>,
    /// Which of the three layers it sends back.
    pub(crate) layer: &'static str,
    /// Packets that came in, by simulcast layer; sound under "".
    pub(crate) packets: BTreeMap<String, u64>,
    /// Whether resuming is refused.
    pub(crate) forgetful: bool,
    /// Whether it answers nothing.
    pub(crate) mute: bool,
    slots_changed: bool,
    audio_slot: Option<str0m::media::Mid>,
    video_slot: Option<str0m::media::Mid>,
    camera: Option<str0m::media::Mid>,
    generation: u32,
    sending: &'static str,
    audio_seq: u64,
    video_seq: u64,
    started_at: Instant,
    alive: bool,
}

impl EchoServer {
    pub(crate) fn new(address: SocketAddr) -> Self {
        Self {
            address,
            rtc: None,
            deadline: crate::world::start(),
            transmits: VecDeque::new(),
            layer: "f",
            packets: BTreeMap::new(),
            forgetful: false,
            mute: false,
            slots_changed: false,
            audio_slot: None,
            video_slot: None,
            camera: None,
            generation: 0,
            sending: "",
            audio_seq: 1,
            video_seq: 1,
            started_at: crate::world::start(),
            alive: false,
        }
    }

    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.rtc.as_ref().map(|_| self.deadline)
    }

    pub(crate) fn handle_message(
        &mut self,
        now: Instant,
        message: ClientMessage,
    ) -> Vec<ServerMessage> {
        match message {
            _ if self.mute => vec![],
            ClientMessage::Hello { .. } => {
                vec![ServerMessage::Welcome { version: PROTOCOL_VERSION }]
            }
            ClientMessage::Join { offer, .. } => {
                let answer = self.accept(now, offer);
                self.joined(Some(answer))
            }
            ClientMessage::Offer { offer } => {
                let answer = self.accept(now, offer);
                vec![ServerMessage::Answer { answer }, self.slots()]
            }
            ClientMessage::Ping => vec![ServerMessage::Pong],
            ClientMessage::Resume { .. } if self.forgetful => {
                let (code, detail) = (ErrorCode::ResumeRefused, String::new());
                vec![ServerMessage::Error { code, detail, fatal: false }]
            }
            ClientMessage::Resume { offer, .. } => {
                let answer = offer.map(|offer| self.accept(now, offer));
                self.joined(answer)
            }
            _ => vec![],
        }
    }

    fn joined(&self, answer: Option<Answer>) -> Vec<ServerMessage> {
        let joined = Joined {
            participant: ParticipantId(1),
            resume_token: "r".repeat(43),
            others: vec![other(2), other(3), other(4)],
            publications: vec![],
            media_alive: self.alive,
            answer,
        };
        vec![ServerMessage::Joined { joined }, self.slots()]
    }

    fn accept(&mut self, now: Instant, offer: Offer) -> Answer {
        let mut rtc = Rtc::builder().set_rtp_mode(true).set_ice_lite(true).build(now);
        rtc.add_local_candidate(Candidate::host(self.address, "udp").unwrap());
        let sdp = SdpOffer::from_sdp_string(&offer.sdp).unwrap();
        let answer = rtc.sdp_api().accept_offer(sdp).unwrap();
        (self.audio_slot, self.video_slot, self.generation) = (None, None, offer.generation);
        self.rtc = Some(rtc);
        self.alive = true;
        self.handle_timeout(now);
        Answer { generation: offer.generation, sdp: answer.to_sdp_string() }
    }
}

impl EchoServer {
    /// What it says without being asked.
    pub(crate) fn poll_message(&mut self) -> Option<ServerMessage> {
        std::mem::take(&mut self.slots_changed).then(|| self.slots())
    }

    fn slots(&self) -> ServerMessage {
        let mid = |mid: &str| Mid::new(mid).unwrap();
        let audio = self.audio_slot.iter();
        let video = self.video_slot.iter();
        ServerMessage::Slots {
            generation: self.generation,
            audio: audio
                .map(|m| AudioSlot { mid: mid(m), publication: PublicationId(20) })
                .collect(),
            video: video
                .map(|m| VideoSlot { mid: mid(m), publication: PublicationId(21), paused: false })
                .collect(),
        }
    }

    pub(crate) fn ask_keyframe(&mut self) {
        let mid = self.camera.unwrap();
        let rtc = self.rtc.as_mut().unwrap();
        let mut api = rtc.direct_api();
        let stream = api.stream_rx_by_mid(mid, Some("q".into())).unwrap();
        stream.request_keyframe(KeyframeRequestKind::Pli);
    }

    pub(crate) fn handle_datagram(&mut self, now: Instant, datagram: &Transmit) {
        let Transmit { source, destination, contents } = datagram;
        let Ok(receive) = Receive::new(Protocol::Udp, *source, *destination, contents) else {
            return;
        };
        let input = str0m::Input::Receive(now, receive);
        if let Some(rtc) = self.rtc.as_mut().filter(|rtc| rtc.accepts(&input)) {
            rtc.handle_input(input).unwrap();
            self.drain(now);
        }
    }

    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        let Some(rtc) = &mut self.rtc else { return };
        rtc.handle_input(str0m::Input::Timeout(now)).unwrap();
        self.drain(now);
    }

    fn drain(&mut self, now: Instant) {
        loop {
            match self.rtc.as_mut().unwrap().poll_output().unwrap() {
                str0m::Output::Timeout(at) => {
                    self.deadline = at;
                    return;
                }
                str0m::Output::Transmit(t) => self.transmits.push_back(Transmit {
                    source: t.source,
                    destination: t.destination,
                    contents: t.contents.into(),
                }),
                str0m::Output::Event(str0m::Event::MediaAdded(added)) => {
                    let place = match (added.kind, added.direction) {
                        (MediaKind::Audio, Direction::SendOnly) => &mut self.audio_slot,
                        (MediaKind::Video, Direction::SendOnly) => &mut self.video_slot,
                        (MediaKind::Video, _) => &mut self.camera,
                        (MediaKind::Audio, _) => continue,
                    };
                    place.get_or_insert(added.mid);
                    self.slots_changed = true;
                }
                str0m::Output::Event(str0m::Event::RtpPacket(packet)) => self.echo(now, packet),
                str0m::Output::Event(_) => {}
            }
        }
    }

    fn echo(&mut self, now: Instant, packet: RtpPacket) {
        if packet.payload.is_empty() {
            return;
        }
        let rtc = self.rtc.as_mut().unwrap();
        let mut api = rtc.direct_api();
        let rid = api.stream_rx(&packet.header.ssrc).unwrap().rid();
        let rid = rid.map(|rid| rid.to_string()).unwrap_or_default();
        *self.packets.entry(rid.clone()).or_default() += 1;
        let (slot, seq, rate) = if rid.is_empty() {
            assert!(packet.header.ext_vals.audio_level.is_some(), "the server chooses by loudness");
            (self.audio_slot, &mut self.audio_seq, 48)
        } else {
            let descriptor = str0m::rtp::Vp8Descriptor::parse(&packet.payload).unwrap();
            assert!(descriptor.picture_id().is_some(), "as browsers send it");
            if rid == self.layer && descriptor.starts_keyframe(&packet.payload) {
                self.sending = self.layer;
            }
            if rid != self.sending {
                return;
            }
            (self.video_slot, &mut self.video_seq, 90)
        };
        let Some(slot) = slot else { return };
        let time = (now - self.started_at).as_millis() as u32 * rate;
        let out =
            RtpWrite::new(packet.header.payload_type, SeqNo::from(*seq), time, now, packet.payload);
        *seq += 1;
        let out = out.marker(packet.header.marker).nackable(true);
        api.stream_tx_by_mid(slot, None).unwrap().write_rtp(out);
        self.handle_timeout(now);
    }
}

#[test]
fn a_participant_publishes_three_layers_and_counts_what_it_receives() {
    let mut world = World::new();
    world.run_for(Duration::from_secs(10));

    let server = world.server.as_ref().unwrap();
    for rid in ["q", "h", "f"] {
        assert!(server.packets[rid] >= 130, "{rid}: {:?}", server.packets);
    }
    assert!(server.packets[""] >= 450, "{:?}", server.packets);

    let report = world.participant.report();
    assert_eq!(report.participant, Some(ParticipantId(1)));
    assert_eq!(report.joined_ms, Some(0));
    assert!(report.first_video_frame_ms.unwrap() < 1500, "{report:?}");
    let [audio, video] = &report.received[..] else { panic!("{report:?}") };
    assert_eq!((audio.publication, audio.participant), (PublicationId(20), Some(ParticipantId(2))));
    assert!(audio.frames >= 450 && audio.longest_gap_ms <= 21, "{audio:?}");
    assert!(video.frames >= 130 && video.longest_gap_ms <= 68, "{video:?}");
    assert_eq!((video.width, video.height, video.layer_switches), (1280, 720, 0));
    assert!((8..=11).contains(&video.keyframes), "one a second: {video:?}");
    assert_eq!((video.lost_packets, video.undecodable_frames), (0, 0));
    assert_eq!((report.sockets_lost, report.generations), (0, 1));
    assert!(report.outages_ms.is_empty());
}

#[test]
fn a_participant_states_the_view_once_and_again_only_when_it_changes() {
    let mut world = World::new();
    world.run_for(Duration::from_secs(1));
    let views = |world: &World| -> Vec<Vec<u32>> {
        let wants = |message: &ClientMessage| match message {
            ClientMessage::View { wants } => Some(wants.iter().map(|w| w.publication.0).collect()),
            _ => None,
        };
        world.said.iter().filter_map(wants).collect()
    };
    assert_eq!(views(&world), [[21, 31]], "as many as there are tiles");

    world.tell(ServerMessage::Roster { present: vec![other(5)], left: vec![] });
    assert_eq!(views(&world).len(), 1, "a fifth person changes nothing on display");

    let left = vec![(ParticipantId(2), conclave_wire::LeaveReason::Left)];
    world.tell(ServerMessage::Roster { present: vec![], left });
    assert_eq!(views(&world), [[21, 31], [31, 41]]);
}

#[test]
fn a_change_of_layer_is_counted_and_loses_nothing() {
    let mut world = World::new();
    world.run_for(Duration::from_secs(3));
    world.server.as_mut().unwrap().layer = "q";
    world.run_for(Duration::from_secs(3));
    world.server.as_mut().unwrap().layer = "h";
    world.run_for(Duration::from_secs(3));
    let report = world.participant.report();
    let video = report.received.iter().find(|r| r.publication.0 == 21).unwrap();
    assert_eq!((video.width, video.height, video.layer_switches), (640, 360, 2), "{video:?}");
    assert_eq!((video.lost_packets, video.undecodable_frames), (0, 0), "{video:?}");
}

#[test]
fn a_request_for_a_key_frame_reaches_the_encoder_and_is_throttled() {
    let mut world = World::new();
    world.run_for(Duration::from_millis(2300));
    for _ in 0..5 {
        world.server.as_mut().unwrap().ask_keyframe();
        world.run_for(Duration::from_millis(40));
    }
    let asked = world.events.iter().filter(|e| matches!(e, Event::KeyframeWanted { .. })).count();
    assert_eq!(asked, 1, "{:?}", world.events);
    assert!(world.participant.report().published.keyframe_requests >= 2);
}

#[test]
fn lost_packets_are_asked_for_again_and_frames_stay_whole() {
    let mut world = World::new();
    world.lose_each = Some(20);
    world.run_for(Duration::from_secs(10));
    let report = world.participant.report();
    let video = report.received.iter().find(|r| r.publication.0 == 21).unwrap();
    assert!(video.frames >= 120, "{video:?}");
    assert!(video.undecodable_frames <= 5, "{video:?}");
}

#[test]
fn a_restarted_server_that_knows_the_session_gets_a_new_media_session() {
    let mut world = World::new();
    world.run_for(Duration::from_secs(3));
    world.kill_server();
    world.run_for(Duration::from_millis(1500));
    assert!(world.connect_refused() >= 2, "it keeps trying");
    world.start_server();
    world.run_for(Duration::from_secs(5));

    let report = world.participant.report();
    assert_eq!((report.resumed, report.rejoined, report.generations), (1, 0, 2), "{report:?}");
    let [outage] = report.outages_ms[..] else { panic!("{report:?}") };
    assert!((1500..4500).contains(&outage), "{outage} ms");
    let offers: Vec<_> = world.said.iter().filter_map(offered).collect();
    assert_eq!(offers, [1, 2]);
}

#[test]
fn a_server_that_forgot_the_session_is_joined_anew_on_the_same_socket() {
    let mut world = World::new();
    world.run_for(Duration::from_secs(3));
    world.kill_server();
    world.start_server();
    world.server.as_mut().unwrap().forgetful = true;
    world.run_for(Duration::from_secs(5));

    let report = world.participant.report();
    assert_eq!((report.resumed, report.rejoined), (0, 1), "{report:?}");
    assert_eq!(report.outages_ms.len(), 1);
}

#[test]
fn a_lost_socket_alone_does_not_touch_media() {
    let mut world = World::new();
    world.run_for(Duration::from_secs(3));
    world.lose_socket();
    world.run_for(Duration::from_secs(3));

    let report = world.participant.report();
    assert_eq!((report.resumed, report.generations), (1, 1), "{report:?}");
    assert!(report.outages_ms.is_empty());
    let video = report.received.iter().find(|r| r.publication.0 == 21).unwrap();
    assert!(video.longest_gap_ms <= 68, "{video:?}");
}

#[test]
fn media_that_falls_silent_is_replaced() {
    let mut world = World::new();
    world.run_for(Duration::from_secs(3));
    world.lose_each = Some(1);
    world.run_for(Duration::from_secs(9));
    world.lose_each = None;
    world.run_for(Duration::from_secs(5));
    let report = world.participant.report();
    assert!(report.generations >= 2, "{report:?}");
    assert_eq!(report.sockets_lost, 0);
    let [outage] = report.outages_ms[..] else { panic!("{report:?}") };
    assert!((8000..13000).contains(&outage), "{outage} ms");
}

#[test]
fn a_silent_socket_is_given_up_and_opened_again() {
    let mut world = World::new();
    world.run_for(Duration::from_secs(1));
    let pings =
        |world: &World| world.said.iter().filter(|m| matches!(m, ClientMessage::Ping)).count();
    world.run_for(Duration::from_secs(6));
    assert!(pings(&world) >= 1);
    assert_eq!(world.participant.report().sockets_lost, 0, "the pong came");

    // A server that is there but says nothing.
    world.server.as_mut().unwrap().mute = true;
    world.run_for(Duration::from_secs(11));
    assert_eq!(world.participant.report().sockets_lost, 1);
    world.server.as_mut().unwrap().mute = false;
    world.run_for(Duration::from_secs(11));
    assert_eq!(world.participant.report().resumed, 1);
}

#[test]
fn a_refusal_ends_it() {
    let mut world = World::new();
    world.run_for(Duration::from_secs(1));
    let (code, detail) = (ErrorCode::UnknownMeeting, String::new());
    world.tell(ServerMessage::Error { code, detail, fatal: true });
    assert!(world.participant.is_ended());
    let ended = Event::Ended { reason: EndReason::Refused(ErrorCode::UnknownMeeting) };
    assert_eq!(world.events.last(), Some(&ended));
    let said = world.said.len();
    world.run_for(Duration::from_secs(10));
    assert_eq!(world.said.len(), said);
}

#[test]
fn an_offer_that_is_refused_at_the_door_ends_it_and_later_does_not() {
    let refuse = |world: &mut World| {
        let (code, detail) = (ErrorCode::BadOffer, String::new());
        world.tell(ServerMessage::Error { code, detail, fatal: false });
    };
    let mut world = World::new();
    world.server.as_mut().unwrap().mute = true;
    world.run_for(Duration::from_secs(1));
    refuse(&mut world);
    assert!(world.participant.is_ended());

    let mut world = World::new();
    world.run_for(Duration::from_secs(3));
    refuse(&mut world);
    world.run_for(Duration::from_secs(3));
    assert!(!world.participant.is_ended());
    assert_eq!(world.participant.report().generations, 2);
}

#[test]
fn a_listener_offers_no_track() {
    let mut world = World::with_sends(Sends { microphone: false, camera: false });
    world.run_for(Duration::from_secs(2));
    let Some(ClientMessage::Join { offer, presence, .. }) =
        world.said.iter().find(|m| matches!(m, ClientMessage::Join { .. }))
    else {
        panic!("{:?}", world.said);
    };
    assert!(offer.tracks.is_empty() && presence.muted);
    assert!(!offer.sdp.contains("a=sendonly"));
    assert_eq!(offer.sdp.matches("a=recvonly").count(), 5);
    assert_eq!(world.participant.report().published, Default::default());
}

#[test]
fn an_answer_that_is_not_one_kills_the_session_and_another_is_offered() {
    let mut world = World::new();
    world.run_for(Duration::from_secs(1));
    world.server.as_mut().unwrap().alive = false;
    world.kill_server();
    world.start_server();
    // Greets, then answers nonsense to the next offer.
    world.run_for(Duration::from_millis(249));
    let before = world.participant.report().generations;
    world.tell(ServerMessage::Answer {
        answer: Answer { generation: before, sdp: "v=0 nonsense".to_owned() },
    });
    world.run_for(Duration::from_secs(5));
    assert!(world.participant.report().generations > before);
}

fn offered(message: &ClientMessage) -> Option<u32> {
    match message {
        ClientMessage::Join { offer, .. } | ClientMessage::Offer { offer } => {
            Some(offer.generation)
        }
        ClientMessage::Resume { offer, .. } => offer.as_ref().map(|offer| offer.generation),
        _ => None,
    }
}
