use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use conclave_link::LinkToken;
use conclave_model::{MediaKind, MeetingId, ParticipantId, PublicationId, SealedBlob, TrackSource};
use conclave_wire::{
    Answer, ClientMessage, ErrorCode, Joined, Offer, PROTOCOL_VERSION, ParticipantInfo, Presence,
    ServerMessage, TilePriority, Want,
};

use crate::ledger::{Ledger, millis_between};
use crate::media::{MediaFrame, MediaSession, SessionError, SessionEvent};
use crate::report::Report;
use crate::signal::{Action, SignalLink};

/// How long to wait before a media session that failed is replaced once more.
const OFFER_INTERVAL: Duration = Duration::from_secs(2);

/// How often the publisher's encoder is asked for a key frame at most.
const KEYFRAME_INTERVAL: Duration = Duration::from_millis(300);

/// What a participant is and does.
#[derive(Clone, Debug)]
pub struct Config {
    /// The meeting.
    pub meeting: MeetingId,
    /// Proof of holding its link.
    pub token: LinkToken,
    /// Who it is, sealed.
    pub profile: SealedBlob,
    /// What it publishes.
    pub sends: Sends,
    /// How many receiving slots for sound it offers.
    pub audio_slots: usize,
    /// How many receiving slots for pictures it offers.
    pub video_slots: usize,
    /// Which pictures it wants.
    pub view: ViewPolicy,
    /// The addresses of its UDP sockets.
    pub addresses: Vec<SocketAddr>,
    /// Random bits: where sequence numbers start.
    pub seed: u64,
}

/// What a participant publishes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Sends {
    /// Sound.
    pub microphone: bool,
    /// A picture, in three simulcast layers.
    pub camera: bool,
}

/// Which pictures a participant wants: the first few in the order of the roster, all alike.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct ViewPolicy {
    /// How many.
    pub tiles: usize,
    /// Width of each in device pixels.
    pub width: u16,
    /// Height of each in device pixels.
    pub height: u16,
    /// How much they matter.
    pub priority: TilePriority,
}

/// One device's side of a call: signalling, media session, reconnection, counts.
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
    media: Option<MediaSession>,
    generation: u32,
    /// Not before this time is another media session offered.
    offer_at: Instant,
    resume_token: Option<String>,
    roster: BTreeMap<ParticipantId, ParticipantInfo>,
    view_sent: Option<Vec<Want>>,
    ledger: Ledger,
    /// Who offers a publication, remembered after it is gone.
    known: BTreeMap<PublicationId, (ParticipantId, TrackSource)>,
    /// When the last frame before the present outage came.
    outage_since: Option<Instant>,
    keyframe_asked_at: Option<Instant>,
    report: Report,
    outputs: VecDeque<Output>,
}

impl Participant {
    /// Makes a participant that joins at once.
    pub fn new(config: Config, now: Instant) -> Self {
        Self {
            config,
            started_at: now,
            now,
            signal: SignalLink::new(now),
            media: None,
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
            Input::Datagram { source, destination, contents } => {
                if let Some(media) = &mut self.media {
                    media.handle_datagram(now, source, destination, contents, &mut self.ledger);
                }
            }
            Input::Leave => self.leave(),
            Input::Media(frame) => self.publish(&frame),
            Input::Signal(message) => self.handle_signal(message),
            Input::SignalLost => self.handle_signal_lost(),
            Input::SignalOpen => {
                if self.signal.opened(now) {
                    self.say(ClientMessage::Hello { version: PROTOCOL_VERSION });
                }
            }
            Input::Timeout => {
                if let Some(media) = &mut self.media {
                    media.handle_timeout(now, &mut self.ledger);
                }
            }
        }
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
        let soonest = [self.signal.deadline(), media, offer].into_iter().flatten().min();
        Output::Timeout(if self.signal.is_ended() { None } else { soonest })
    }

    /// Whether it has left, or was made to.
    pub const fn is_ended(&self) -> bool {
        self.signal.is_ended()
    }

    /// What it went through so far.
    pub fn report(&self) -> Report {
        let received = self.ledger.received().map(|received| {
            let known = self.known.get(&received.publication);
            let mut received = received.clone();
            received.participant = known.map(|&(participant, _)| participant);
            received.source = known.map(|&(_, source)| source);
            received
        });
        Report {
            others: self.roster.len(),
            generations: self.generation,
            received: received.collect(),
            unassigned_frames: self.ledger.unassigned_frames,
            ..self.report.clone()
        }
    }

    fn publish(&mut self, frame: &MediaFrame) {
        let Some(media) = &mut self.media else { return };
        if !media.publish(self.now, frame, &mut self.ledger) {
            return;
        }
        match frame.source.kind() {
            MediaKind::Audio => self.report.published.audio_frames += 1,
            MediaKind::Video => self.report.published.video_frames += 1,
        }
    }

    fn handle_signal(&mut self, message: ServerMessage) {
        self.signal.heard(self.now);
        match message {
            ServerMessage::Answer { answer } => self.handle_answer(&answer),
            ServerMessage::Error { code, detail, fatal } => self.handle_error(code, detail, fatal),
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
                    media.assign(self.now, &audio, &video, &mut self.ledger);
                }
            }
            ServerMessage::Welcome { version } => self.handle_welcome(version),
            ServerMessage::Pong
            | ServerMessage::Quality { .. }
            | ServerMessage::Speakers { .. } => {}
        }
    }

    fn handle_welcome(&mut self, version: u16) {
        if version != PROTOCOL_VERSION {
            self.end(EndReason::Refused(ErrorCode::UnsupportedVersion));
            return;
        }
        if !self.signal.welcomed(self.now) {
            return;
        }
        let Some(resume_token) = self.resume_token.clone() else {
            self.join();
            return;
        };
        let keep = self.media.as_ref().is_some_and(|media| media.is_worth_keeping(self.now));
        let offer = if keep {
            None
        } else {
            let Some(offer) = self.new_session() else { return };
            Some(offer)
        };
        let (meeting, profile) = (self.config.meeting, self.config.profile.clone());
        let presence = self.presence();
        self.say(ClientMessage::Resume { meeting, resume_token, profile, presence, offer });
    }

    fn join(&mut self) {
        let Some(offer) = self.new_session() else { return };
        self.say(ClientMessage::Join {
            meeting: self.config.meeting,
            token: self.config.token.expose(),
            profile: self.config.profile.clone(),
            presence: self.presence(),
            offer,
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
        self.roster.clear();
        self.enroll(joined.others);
        self.tell(Event::Joined { participant: joined.participant });
        if let Some(answer) = joined.answer {
            self.handle_answer(&answer);
        } else if !joined.media_alive
            && let Some(media) = &mut self.media
        {
            media.kill();
            self.offer_at = self.now;
        }
        self.view_sent = None;
        self.update_view();
    }

    fn handle_answer(&mut self, answer: &Answer) {
        let present = self.media.as_mut().filter(|media| media.generation == answer.generation);
        let Some(media) = present else { return };
        if let Err(error) = media.accept_answer(self.now, &answer.sdp, &mut self.ledger) {
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
            ErrorCode::ResumeRefused => {
                self.resume_token = None;
                self.join();
            }
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
            let publications = info.publications.iter();
            self.known.extend(publications.map(|p| (p.id, (info.id, p.source))));
            self.roster.insert(info.id, info);
        }
    }

    /// Tells the server which pictures are on display, if that has changed.
    fn update_view(&mut self) {
        if !self.signal.is_entered() {
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
        match MediaSession::new(self.now, self.generation, &self.config) {
            Ok((session, offer)) => {
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
        let events: Vec<SessionEvent> = media.events.drain(..).collect();
        let since_start = |at: Instant| millis_between(self.started_at, at);
        let first = media.first_frame_at.values().copied().min();
        if let Some(at) = first
            && let Some(since) = self.outage_since.take()
        {
            self.report.outages_ms.push(millis_between(since, at));
        }
        if let Some(&at) = media.first_frame_at.get(&MediaKind::Audio) {
            self.report.first_audio_frame_ms.get_or_insert_with(|| since_start(at));
        }
        if let Some(&at) = media.first_frame_at.get(&MediaKind::Video) {
            self.report.first_video_frame_ms.get_or_insert_with(|| since_start(at));
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
        if self.wants_offer()
            && self.now >= self.offer_at
            && let Some(offer) = self.new_session()
        {
            self.say(ClientMessage::Offer { offer });
        }
    }

    fn wants_offer(&self) -> bool {
        let dead = self.media.as_ref().is_some_and(|media| media.is_dead(self.now));
        dead && self.signal.is_entered()
    }

    fn leave(&mut self) {
        if self.signal.is_entered() {
            self.say(ClientMessage::Leave);
        }
        self.end(EndReason::Left);
    }

    fn end(&mut self, reason: EndReason) {
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

/// What the shell tells the participant.
#[derive(Debug)]
pub enum Input<'a> {
    /// A datagram came in.
    Datagram {
        /// From where.
        source: SocketAddr,
        /// The address of the socket it came in on.
        destination: SocketAddr,
        /// Its bytes.
        contents: &'a [u8],
    },
    /// Leave for good.
    Leave,
    /// Publish a frame. Dropped while there is no media session, or if nothing is published
    /// from its source.
    Media(MediaFrame),
    /// A message came in.
    Signal(ServerMessage),
    /// The socket could not be opened, or was closed by the other end.
    SignalLost,
    /// The socket is open.
    SignalOpen,
    /// The instant of the last [`Output::Timeout`] has come.
    Timeout,
}

/// What the participant tells the shell.
#[derive(Debug)]
pub enum Output {
    /// Open the signalling socket; answer with [`Input::SignalOpen`] or [`Input::SignalLost`].
    Connect,
    /// Close the signalling socket, or stop opening it, once what was said is sent. Not answered.
    Disconnect,
    /// Something the application may want to know.
    Event(Event),
    /// Send a message.
    Signal(ClientMessage),
    /// Nothing more to do until this instant, or until the next input if `None`.
    Timeout(Option<Instant>),
    /// Send a datagram.
    Transmit(Transmit),
}

/// A datagram to be sent.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Transmit {
    /// The address of the socket to send it from.
    pub source: SocketAddr,
    /// Where to.
    pub destination: SocketAddr,
    /// Its bytes.
    pub contents: Vec<u8>,
}

/// Something the application may want to know.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Event {
    /// It is over.
    Ended {
        /// Why.
        reason: EndReason,
    },
    /// The call was entered, or entered again.
    Joined {
        /// Who the participant is in it.
        participant: ParticipantId,
    },
    /// Others cannot go on without a key frame.
    KeyframeWanted {
        /// Of which track.
        source: TrackSource,
    },
    /// Media flows.
    MediaConnected {
        /// On which session.
        generation: u32,
    },
    /// The server complains.
    ServerError {
        /// What about.
        code: ErrorCode,
        /// The cause, in English.
        detail: String,
        /// It closes the socket.
        fatal: bool,
    },
    /// The signalling socket was lost; it will be opened again.
    SignalLost,
}

/// Why a participant is no longer in the call.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum EndReason {
    /// It was told to leave.
    #[error("left")]
    Left,
    /// No media session can be made.
    #[error("no media session: {0}")]
    NoMedia(SessionError),
    /// The server does not let it in, or not any longer.
    #[error("the server refused: {0:?}")]
    Refused(ErrorCode),
}
