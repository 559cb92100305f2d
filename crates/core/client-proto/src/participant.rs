mod group;
mod relay;
mod track;

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use conclave_e2ee::Session;
use conclave_model::{MediaKind, ParticipantId, PublicationId, TrackSource};
use conclave_wire::{
    Admitted, Answer, ClientMessage, ErrorCode, Joined, MlsBytes, Offer, PROTOCOL_VERSION,
    ParticipantInfo, Presence, RelayWay, ServerMessage, Want,
};

use crate::config::Config;
use crate::incoming::Incoming;
use crate::io::{EndReason, Event, Input, Output};
use crate::ledger::{Ledger, millis_between};
use crate::media::{MediaSession, SessionEvent};
use crate::member::Member;
use crate::participant::relay::RelayPath;
use crate::report::Report;
use crate::signal::{Action, SignalLink};

/// How long to wait before a media session that failed is replaced once more.
const OFFER_INTERVAL: Duration = Duration::from_secs(2);

/// How often the publisher's encoder is asked for a key frame at most.
const KEYFRAME_INTERVAL: Duration = Duration::from_millis(300);

/// One device's side of a call: signalling, the meeting's group, media, reconnection, counts.
///
/// Sans-IO: it reads no clock and owns no socket. After every
/// [`handle_input`](Self::handle_input), call [`poll_output`](Self::poll_output) until it returns
/// [`Output::Timeout`]; then wait for that instant or the next input, whichever is first.
#[derive(Debug)]
pub struct Participant {
    config: Config,
    started_at: Instant,
    now: Instant,
    signal: SignalLink,
    member: Member,
    /// The server has this device's leaf in the group's tree, and so takes its offers.
    is_admitted: bool,
    relay: RelayPath,
    media: Option<MediaSession>,
    incoming: Incoming,
    generation: u32,
    /// Not before this time is another media session offered.
    offer_at: Instant,
    resume_token: Option<String>,
    roster: BTreeMap<ParticipantId, ParticipantInfo>,
    view_sent: Option<Vec<Want>>,
    ledger: Ledger,
    /// Who offers a publication, with their leaf; remembered after it is gone.
    known: BTreeMap<PublicationId, Publisher>,
    /// When the last frame before the present outage came.
    outage_since: Option<Instant>,
    keyframe_asked_at: Option<Instant>,
    report: Report,
    chat_messages: u64,
    outputs: VecDeque<Output>,
}

/// Who offers a publication.
#[derive(Clone, Copy, Debug)]
struct Publisher {
    participant: ParticipantId,
    leaf: u32,
    source: TrackSource,
}

impl Participant {
    /// Makes a participant that comes to the meeting's door at once.
    pub fn new(config: Config, now: Instant) -> Self {
        Self {
            member: Member::new(&config, now),
            config,
            started_at: now,
            now,
            signal: SignalLink::new(now),
            is_admitted: false,
            relay: RelayPath::default(),
            media: None,
            incoming: Incoming::default(),
            generation: 0,
            offer_at: now,
            resume_token: None,
            roster: BTreeMap::new(),
            view_sent: None,
            ledger: Ledger::default(),
            known: BTreeMap::new(),
            outage_since: None,
            keyframe_asked_at: None,
            report: Report::default(),
            chat_messages: 0,
            outputs: VecDeque::new(),
        }
    }

    /// Takes one event. `now` must not go backwards between calls.
    pub fn handle_input(&mut self, now: Instant, input: Input<'_>) {
        self.now = now;
        if self.signal.is_ended() {
            return;
        }
        match input {
            Input::Command(command) => self.member.command(now, command),
            Input::Datagram { source, destination, contents } => {
                if let Some(media) = &mut self.media {
                    media.handle_datagram(now, source, destination, contents);
                }
            }
            Input::Leave => self.leave(),
            Input::Media(frame) => self.publish(frame),
            Input::RelayLost => self.handle_relay_lost(),
            Input::Relayed { address } => self.relay.address = Some(address),
            Input::Signal(message) => self.handle_signal(message),
            Input::SignalLost => self.handle_signal_lost(),
            Input::SignalOpen => {
                if self.signal.opened(now) {
                    self.say(ClientMessage::Hello { version: PROTOCOL_VERSION });
                }
            }
            Input::Timeout => {
                if let Some(media) = &mut self.media {
                    media.handle_timeout(now);
                }
            }
        }
        self.member.handle_timeout(now);
        self.collect_group();
        self.collect_media();
        self.supervise();
    }

    /// Returns the next thing to do.
    pub fn poll_output(&mut self) -> Output {
        if let Some(output) = self.outputs.pop_front() {
            return output;
        }
        let media = self.media.as_ref().and_then(MediaSession::deadline);
        let offer = self.wants_offer().then_some(self.offer_at);
        let deadlines = [
            self.signal.deadline(),
            self.member.deadline(),
            self.incoming.deadline(),
            self.patience_ends_at(),
            media,
            offer,
        ];
        let soonest = deadlines.into_iter().flatten().min();
        Output::Timeout(if self.signal.is_ended() { None } else { soonest })
    }

    /// This device's side of the meeting's group.
    pub const fn session(&self) -> &Session {
        self.member.session()
    }

    /// Whether it has left, or was made to.
    pub const fn is_ended(&self) -> bool {
        self.signal.is_ended()
    }

    fn handle_signal(&mut self, message: ServerMessage) {
        self.signal.heard(self.now);
        match message {
            ServerMessage::Admitted { admitted } => self.handle_admitted(admitted),
            ServerMessage::Answer { answer } => self.handle_answer(&answer),
            ServerMessage::Demand { generation, pictures } => {
                let present = self.media.as_mut().filter(|media| media.generation == generation);
                if let Some(media) = present {
                    media.demand(&pictures);
                }
            }
            ServerMessage::Error { code, detail, fatal } => self.handle_error(code, detail, fatal),
            ServerMessage::Group { news } => self.member.handle_news(self.now, news),
            ServerMessage::Joined { joined } => self.handle_joined(joined),
            ServerMessage::Roster { present, left } => {
                for (participant, _) in left {
                    self.roster.remove(&participant);
                }
                self.enroll(present);
                self.update_view();
            }
            ServerMessage::Slots { generation, audio, video } => {
                let present = self.media.as_mut().filter(|media| media.generation == generation);
                if let Some(media) = present {
                    media.assign(&audio, &video, &mut self.ledger);
                }
            }
            ServerMessage::Welcome { version, challenge } => {
                self.handle_welcome(version, &challenge);
            }
            ServerMessage::Pong
            | ServerMessage::Quality { .. }
            | ServerMessage::Speakers { .. } => {}
        }
    }

    fn handle_welcome(&mut self, version: u16, challenge: &str) {
        if version != PROTOCOL_VERSION {
            self.end(EndReason::Refused(ErrorCode::UnsupportedVersion));
            return;
        }
        if !self.signal.welcomed(self.now) {
            return;
        }
        let Some((resume_token, signature)) = self.proof_of_session(challenge) else {
            return self.join();
        };
        let keep = self.media.as_ref().is_some_and(|media| media.is_worth_keeping(self.now));
        let offer = if keep || !self.is_admitted || !self.has_path() {
            None
        } else {
            let Some(offer) = self.new_session() else { return };
            Some(offer)
        };
        let (meeting, presence) = (self.config.meeting, self.presence());
        let signature = MlsBytes::new(signature);
        self.say(ClientMessage::Resume { meeting, resume_token, signature, presence, offer });
    }

    /// What takes the session up again: the token, and the leaf's signature over the challenge.
    fn proof_of_session(&self, challenge: &str) -> Option<(String, Vec<u8>)> {
        let resume_token = self.resume_token.clone()?;
        let challenge = URL_SAFE_NO_PAD.decode(challenge).ok()?.try_into().ok()?;
        Some((resume_token, self.member.sign_resume(&challenge)?))
    }

    /// Comes to the door, as a device that the server does not know.
    fn join(&mut self) {
        self.resume_token = None;
        self.close_media();
        if self.member.is_in() {
            self.member.begin_anew(&self.config, self.now);
        }
        self.say(ClientMessage::Join {
            meeting: self.config.meeting,
            token: self.config.keys.token.expose(),
            presence: self.presence(),
        });
    }

    fn handle_joined(&mut self, joined: Joined) {
        match (self.resume_token.replace(joined.resume_token), self.report.participant) {
            (Some(_), _) => self.report.resumed += 1,
            (None, Some(_)) => self.report.rejoined += 1,
            (None, None) => {}
        }
        self.signal.entered(self.now);
        self.report.participant = Some(joined.participant);
        let joined_ms = millis_between(self.started_at, self.now);
        self.report.joined_ms.get_or_insert(joined_ms);
        self.tell(Event::Joined { participant: joined.participant });
        match joined.admitted {
            Some(admitted) => self.enter(admitted),
            None => self.close_media(),
        }
        if let Some(answer) = joined.answer {
            self.handle_answer(&answer);
        } else if !joined.media_alive
            && let Some(media) = &mut self.media
        {
            media.kill();
            self.offer_at = self.now;
        }
        self.member.connected(self.now);
    }

    /// It may send and receive, on a media session that it is to offer.
    fn handle_admitted(&mut self, admitted: Admitted) {
        self.close_media();
        self.enter(admitted);
        let admitted_ms = millis_between(self.started_at, self.now);
        self.report.admitted_ms.get_or_insert(admitted_ms);
        self.offer_at = self.now;
        self.tell(Event::Admitted);
    }

    fn enter(&mut self, admitted: Admitted) {
        self.is_admitted = true;
        self.ask_relay(admitted.relay);
        self.roster.clear();
        self.enroll(admitted.others);
        self.view_sent = None;
        self.update_view();
    }

    /// It is at the door: nothing is sent, and nothing is expected.
    fn close_media(&mut self) {
        self.is_admitted = false;
        self.media = None;
        self.incoming.clear();
        self.roster.clear();
    }

    fn handle_answer(&mut self, answer: &Answer) {
        let present = self.media.as_mut().filter(|media| media.generation == answer.generation);
        let Some(media) = present else { return };
        let ways: Vec<String> = self.relay.way.iter().map(RelayWay::to_string).collect();
        let verified = self.member.verify_node(self.now, answer, &ways);
        if let Err(fault) = verified {
            return self.end(EndReason::Untrusted(fault));
        }
        if let Err(error) = media.accept_answer(self.now, &answer.sdp) {
            tracing::warn!(%error, "media session failed");
        }
    }

    fn handle_error(&mut self, code: ErrorCode, detail: String, fatal: bool) {
        self.tell(Event::ServerError { code, detail, fatal });
        match code {
            ErrorCode::MeetingFull
            | ErrorCode::Replaced
            | ErrorCode::UnknownMeeting
            | ErrorCode::UnsupportedVersion => self.end(EndReason::Refused(code)),
            ErrorCode::ResumeRefused => self.join(),
            // It would be refused again.
            ErrorCode::BadOffer if !self.signal.is_entered() => {
                self.end(EndReason::Refused(code));
            }
            ErrorCode::BadOffer => {
                if let Some(media) = &mut self.media {
                    media.kill();
                }
            }
            // The socket closes after a fatal one, and is opened again.
            ErrorCode::BadMessage
            | ErrorCode::Draining
            | ErrorCode::Internal
            | ErrorCode::RateLimited => {}
        }
    }

    fn handle_signal_lost(&mut self) {
        if self.signal.lost(self.now) {
            self.report.sockets_lost += 1;
            self.tell(Event::SignalLost);
        }
    }

    fn enroll(&mut self, present: Vec<ParticipantInfo>) {
        for info in present {
            let (participant, leaf) = (info.id, info.leaf);
            self.known.extend(info.publications.iter().map(|publication| {
                (publication.id, Publisher { participant, leaf, source: publication.source })
            }));
            self.roster.insert(info.id, info);
        }
    }

    /// Tells the server which pictures are on display, if that has changed.
    fn update_view(&mut self) {
        if !self.signal.is_entered() || !self.is_admitted {
            return;
        }
        let view = self.config.view;
        let tiles = view.tiles.min(self.config.video_slots);
        let wants: Vec<Want> = self
            .roster
            .values()
            .flat_map(|participant| &participant.publications)
            .filter(|publication| publication.source.kind() == MediaKind::Video)
            .take(tiles)
            .map(|publication| Want {
                publication: publication.id,
                width: view.width,
                height: view.height,
                priority: view.priority,
            })
            .collect();
        if self.view_sent.as_ref() != Some(&wants) {
            self.view_sent = Some(wants.clone());
            self.say(ClientMessage::View { wants });
        }
    }

    /// Replaces the media session. `None`, and the end, if that is impossible.
    fn new_session(&mut self) -> Option<Offer> {
        let last_frame_at = self.media.as_ref().and_then(|media| media.last_frame_at);
        self.outage_since = self.outage_since.or(last_frame_at);
        self.generation += 1;
        self.offer_at = self.now + OFFER_INTERVAL;
        let seed = self.member.rtp_seed(self.generation);
        let relayed = self.relay.address;
        match MediaSession::new(self.now, self.generation, seed, &self.config, relayed) {
            Ok((session, offer)) => {
                self.incoming.clear();
                self.media = Some(session);
                Some(offer)
            }
            Err(error) => {
                self.end(EndReason::NoMedia(error));
                None
            }
        }
    }

    fn collect_media(&mut self) {
        let Some(media) = &mut self.media else { return };
        self.outputs.extend(media.transmits.drain(..).map(Output::Transmit));
        let arrivals = media.arrivals.drain(..);
        arrivals.for_each(|arrival| self.incoming.take(arrival));
        self.open_frames();
        let Some(media) = &mut self.media else { return };
        let events: Vec<SessionEvent> = media.events.drain(..).collect();
        let since_start = |at: Instant| millis_between(self.started_at, at);
        let first = media.first_frame_at.values().copied().min();
        if let Some(at) = first
            && let Some(since) = self.outage_since.take()
        {
            self.report.outages_ms.push(millis_between(since, at));
        }
        let Report { first_audio_frame_ms, first_video_frame_ms, .. } = &mut self.report;
        for (kind, noted) in
            [(MediaKind::Audio, first_audio_frame_ms), (MediaKind::Video, first_video_frame_ms)]
        {
            let first = media.first_frame_at.get(&kind).filter(|_| noted.is_none());
            if let Some(&at) = first {
                *noted = Some(since_start(at));
                self.outputs.push_back(Output::Event(Event::Heard { kind }));
            }
        }
        let (generation, now_ms) = (media.generation, since_start(self.now));
        for event in events {
            match event {
                SessionEvent::Connected => {
                    self.report.media_connected_ms.get_or_insert(now_ms);
                    self.tell(Event::MediaConnected { generation });
                }
                SessionEvent::KeyframeWanted(source) => self.ask_encoder(source),
            }
        }
    }

    fn ask_encoder(&mut self, source: TrackSource) {
        self.report.published.keyframe_requests += 1;
        if self.keyframe_asked_at.is_none_or(|at| self.now >= at + KEYFRAME_INTERVAL) {
            self.keyframe_asked_at = Some(self.now);
            self.tell(Event::KeyframeWanted { source });
        }
    }

    /// Does what time has made due: the socket's life, and the replacement of dead media.
    fn supervise(&mut self) {
        while let Some(action) = self.signal.poll(self.now) {
            match action {
                Action::Connect => self.outputs.push_back(Output::Connect),
                Action::GiveUp => {
                    self.report.sockets_lost += 1;
                    self.outputs.push_back(Output::Disconnect);
                    self.tell(Event::SignalLost);
                }
                Action::Ping => self.say(ClientMessage::Ping),
            }
        }
        if let Some(media) = &mut self.media
            && media.is_dead(self.now)
        {
            media.kill();
        }
        if self.patience_ends_at().is_some_and(|at| at <= self.now) {
            return self.end(EndReason::Waited);
        }
        if self.wants_offer()
            && self.now >= self.offer_at
            && let Some(offer) = self.new_session()
        {
            self.say(ClientMessage::Offer { offer });
        }
    }

    fn wants_offer(&self) -> bool {
        let dead = self.media.as_ref().is_none_or(|media| media.is_dead(self.now));
        dead && self.has_path() && self.is_admitted && self.signal.is_entered()
    }

    /// When it has waited long enough to be let in.
    fn patience_ends_at(&self) -> Option<Instant> {
        let waits = self.report.admitted_ms.is_none() && !self.signal.is_ended();
        self.config.patience.filter(|_| waits).map(|patience| self.started_at + patience)
    }

    fn leave(&mut self) {
        if self.signal.is_entered() {
            self.say(ClientMessage::Leave);
        }
        self.end(EndReason::Left);
    }

    fn end(&mut self, reason: EndReason) {
        if self.signal.is_ended() {
            return;
        }
        self.media = None;
        if self.signal.has_socket() {
            self.outputs.push_back(Output::Disconnect);
        }
        self.signal.end();
        self.tell(Event::Ended { reason });
    }

    const fn presence(&self) -> Presence {
        Presence { muted: !self.config.sends.microphone }
    }

    fn say(&mut self, message: ClientMessage) {
        self.outputs.push_back(Output::Signal(message));
    }

    fn tell(&mut self, event: Event) {
        self.outputs.push_back(Output::Event(event));
    }
}
