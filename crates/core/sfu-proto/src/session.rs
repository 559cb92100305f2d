use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use conclave_model::{Bitrate, MediaKind, Mid};
use str0m::bwe::BweKind;
use str0m::change::{ForwardRtp, Refused};
use str0m::media::{Direction, KeyframeRequestKind, Pt, Rid};
use str0m::net::{Protocol, Receive};
use str0m::rtp::{Forward, RtpPacket, Ssrc};
use str0m::stats::PeerStats;
use str0m::{Candidate, Event, IceConnectionState, Input, Output, Rtc, RtcConfig};

use crate::Transport;
use crate::burst::{Burst, Outbox, Path};
use crate::codec::{Codec, PayloadTypes};
use crate::config::Limits;
use crate::guard::{self, Panicked};
use crate::negotiate::{self, OfferError, OfferSummary};
use crate::roaming::{Datagram, Roaming, UdpPath};
use crate::stats::Drops;

/// A session that is not up after this time is given up: ICE and DTLS take less than two seconds.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(30);

/// How long a session without a working path is kept. The path itself is only found broken 15 s
/// after the last check came in, so this leaves time for an ICE restart after a change of network.
const LOST_TIMEOUT: Duration = Duration::from_secs(10);

/// Packets that leave in one go at most: what one send can carry (GSO).
const MAX_BURST: u32 = 64;

/// What is due so soon is done now. The session's clock may run ahead by this.
const AT_ONCE: Duration = Duration::from_micros(100);

/// Packets of one slot that are kept to be sent again: a second of the largest pictures. Each takes
/// 24 bytes for every receiver, beside what all receivers share.
const MAX_HISTORY: usize = 512;

/// The same of sound.
const MAX_SOUND_HISTORY: usize = 64;

/// Sound that is older comes too late to be played. On a line that is full, it would be in the way.
const SOUND_HISTORY_AGE: Duration = Duration::from_millis(300);

/// For how long they are kept at most: for some tries over the longest line.
const HISTORY_AGE: Duration = Duration::from_secs(3);

/// The share of all that is sent in a second that may be sent again, beside a few packets. A line
/// that loses more has not enough room, and repeating would take the rest of it.
const RESENT_SHARE: f32 = 0.15;

/// Datagrams of RTCP that a peer may send in a second, and at once after a second of rest. A browser
/// that shows a hundred pictures on a line that loses much sends some hundreds.
const MAX_FEEDBACK: u32 = 1000;

/// SSRCs remembered at a time: a peer that changes them all the time must not fill the node.
const MAX_SOURCES: usize = 64;

/// One media session of one peer: str0m's `Rtc` and what the node knows about it.
#[derive(Debug)]
pub(crate) struct Session {
    generation: u32,
    rtc: Rtc,
    summary: OfferSummary,
    ufrag: String,
    state: State,
    /// When the session wants to be woken.
    timeout: Instant,
    addresses: VecDeque<(Transport, SocketAddr)>,
    sources: HashMap<Ssrc, Source>,
    slots: Vec<Slot>,
    /// What left for the peer since the last input.
    burst: Burst,
    roaming: Roaming,
    /// The path of the newest datagram.
    came_on: Option<UdpPath>,
    /// The SSRCs that were told: a bounded number.
    ssrcs: Vec<Ssrc>,
    /// What was refused and told.
    refused: Refused,
    /// It panicked: it ends as soon as it is flushed.
    is_broken: bool,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum State {
    Connecting { deadline: Instant },
    Connected,
    Lost { deadline: Instant },
}

/// A media section of the peer, and the simulcast layer in it: where a packet comes from.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Source {
    pub(crate) mid: Mid,
    pub(crate) rid: Option<Rid>,
}

/// A media section on which the peer receives.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Slot {
    pub(crate) mid: Mid,
    pub(crate) kind: MediaKind,
    pub(crate) ssrc: Ssrc,
    pub(crate) payload_types: PayloadTypes,
}

impl Slot {
    /// Whether the peer can read this codec here.
    pub(crate) fn takes(&self, codec: Codec) -> bool {
        self.payload_types.of(codec).is_some()
    }
}

/// What a session tells the node.
#[derive(Debug)]
pub(crate) enum SessionEvent {
    Connected,
    Estimate(Bitrate),
    /// The receiver of this slot cannot decode until a key frame comes.
    KeyframeWanted(Mid),
    /// No path to the peer works any more; one may come up again.
    Lost,
    /// The peer sends from another UDP address now.
    Moved(SocketAddr),
    Packet(Source, Box<RtpPacket>),
    /// A path works again.
    Regained,
    /// The peer sends with this SSRC.
    Ssrc(Ssrc),
    Stats(Box<PeerStats>),
}

/// What became of packets that were put into a slot.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Written {
    /// Some leave with the session's burst, and are its first.
    pub(crate) starts_burst: bool,
    /// Some have to wait. Flush the session.
    pub(crate) waits: bool,
}

/// The session is over: ICE or DTLS failed, or str0m did.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Ended;

/// Why a session was not renegotiated.
#[derive(Debug)]
pub(crate) enum RenegotiateError {
    /// The session may be half changed: it must end.
    Broken(OfferError),
    /// Nothing has changed.
    Refused(OfferError),
}

impl From<OfferError> for RenegotiateError {
    fn from(error: OfferError) -> Self {
        Self::Refused(error)
    }
}

impl Session {
    /// Sets up a session from an offer, and answers it.
    pub(crate) fn accept(
        limits: &Limits,
        rtc_config: &RtcConfig,
        candidates: &[Candidate],
        generation: u32,
        sdp: &str,
        now: Instant,
    ) -> Result<(Self, String), OfferError> {
        let summary = OfferSummary::read(sdp, limits)?;
        let mut rtc = rtc_config.clone().build(now);
        for candidate in candidates {
            rtc.add_local_candidate(candidate.clone());
        }
        let answer = negotiate::accept(&mut rtc, sdp)?;
        rtc.direct_api().set_feedback_limit(MAX_FEEDBACK);
        let mut session = Self {
            generation,
            rtc,
            summary,
            ufrag: String::new(),
            state: State::Connecting { deadline: now + CONNECT_TIMEOUT },
            timeout: now,
            addresses: VecDeque::new(),
            sources: HashMap::new(),
            slots: Vec::new(),
            burst: Burst::default(),
            roaming: Roaming::default(),
            came_on: None,
            ssrcs: Vec::new(),
            refused: Refused::default(),
            is_broken: false,
        };
        session.negotiated();
        Ok((session, answer))
    }

    /// Answers a further offer on the same session.
    pub(crate) fn renegotiate(
        &mut self,
        limits: &Limits,
        rtc_config: &RtcConfig,
        sdp: &str,
        now: Instant,
    ) -> Result<String, RenegotiateError> {
        let summary = OfferSummary::read(sdp, limits)?;
        self.summary.check_renegotiation(&summary)?;
        negotiate::rehearse(rtc_config, sdp, now)?;
        let answer = negotiate::accept(&mut self.rtc, sdp).map_err(RenegotiateError::Broken)?;
        self.summary = summary;
        self.negotiated();
        Ok(answer)
    }

    /// Reads from the session what the last offer made of it.
    fn negotiated(&mut self) {
        self.ufrag = self.rtc.direct_api().local_ice_credentials().ufrag;
        self.sources.clear();
        let known = std::mem::take(&mut self.slots);
        for mid in self.summary.mids() {
            let Some(slot) = slot(&mut self.rtc, mid) else { continue };
            // What was sent of sound must not come again with another set of header extensions.
            let is_known = known.iter().any(|before| before.ssrc == slot.ssrc);
            if !is_known || slot.kind == MediaKind::Audio {
                limit_history(&mut self.rtc, &slot);
            }
            self.slots.push(slot);
        }
    }

    pub(crate) const fn generation(&self) -> u32 {
        self.generation
    }

    pub(crate) fn ufrag(&self) -> &str {
        &self.ufrag
    }

    pub(crate) fn slots(&self) -> &[Slot] {
        &self.slots
    }

    pub(crate) fn is_connected(&self) -> bool {
        self.state == State::Connected
    }

    /// The codec of the packets that come with a payload type, if it was negotiated.
    pub(crate) fn codec(&self, pt: Pt) -> Option<Codec> {
        Codec::negotiated(&self.rtc, pt)
    }

    /// The simulcast layers that the peer announced for a section, in its order.
    pub(crate) fn rids(&self, mid: Mid) -> Vec<Rid> {
        match self.rtc.media(mid.as_str().into()).map(str0m::media::Media::rids_rx) {
            Some(str0m::media::Rids::Specific(rids)) => rids.clone(),
            Some(str0m::media::Rids::Any | str0m::media::Rids::None) | None => Vec::new(),
        }
    }

    /// When the session wants [`handle_timeout`](Self::handle_timeout).
    pub(crate) fn timeout(&self) -> Instant {
        match self.state {
            State::Connecting { deadline } | State::Lost { deadline } => self.timeout.min(deadline),
            State::Connected => self.timeout,
        }
    }

    /// The addresses that datagrams of this session come from.
    pub(crate) fn addresses(&self) -> impl Iterator<Item = (Transport, SocketAddr)> + '_ {
        self.addresses.iter().copied()
    }

    /// Remembers an address; returns one that is forgotten for it.
    pub(crate) fn add_address(
        &mut self,
        transport: Transport,
        source: SocketAddr,
        limit: usize,
    ) -> Option<(Transport, SocketAddr)> {
        if self.addresses.contains(&(transport, source)) {
            return None;
        }
        self.addresses.push_back((transport, source));
        if self.addresses.len() > limit { self.addresses.pop_front() } else { None }
    }

    pub(crate) fn forget_address(&mut self, transport: Transport, source: SocketAddr) {
        self.addresses.retain(|address| *address != (transport, source));
    }

    /// Whether a STUN request is from this session's peer.
    pub(crate) fn authenticates(&self, now: Instant, receive: Receive<'_>) -> bool {
        guard::call(|| self.rtc.accepts(&Input::Receive(now, receive))).unwrap_or(false)
    }

    /// Takes a datagram that `arrived` at the machine before now. Drain afterwards, if the session
    /// [has something to say](Self::has_output).
    pub(crate) fn handle_datagram(
        &mut self,
        now: Instant,
        arrived: Instant,
        mut receive: Receive<'_>,
    ) -> Result<(), Ended> {
        let path = UdpPath { local: receive.destination, remote: receive.source };
        self.came_on = (receive.proto == Protocol::Udp).then_some(path);
        if self.came_on.is_some() {
            let stranger = !self.addresses.contains(&(Transport::Udp, receive.source));
            receive.source = self.roaming.inward(receive.source, stranger);
        }
        self.rtc.direct_api().set_arrival(arrived);
        self.handle(Input::Receive(now, receive))
    }

    /// Whether there may be something to drain, or another timeout than before.
    pub(crate) fn has_output(&self) -> bool {
        self.rtc.has_output()
    }

    /// Adds what was refused since this was last called.
    pub(crate) fn tell_refused(&mut self, drops: &mut Drops) {
        let refused = self.rtc.direct_api().refused();
        let before = std::mem::replace(&mut self.refused, refused);
        drops.feedback += refused.feedback - before.feedback;
        drops.replayed += refused.replayed - before.replayed;
        drops.unauthentic += refused.unauthentic - before.unauthentic;
    }

    /// An authentic check came that says that the path is the one to use.
    pub(crate) fn nominated(&mut self, now: Instant, path: UdpPath) {
        self.roaming.heard(now, path);
    }

    /// The SSRCs that the peer was seen to send with.
    pub(crate) fn ssrcs(&self) -> &[Ssrc] {
        &self.ssrcs
    }

    /// Lets time pass, and sends what was written. Drain afterwards.
    pub(crate) fn handle_timeout(&mut self, now: Instant) -> Result<(), Ended> {
        let is_given_up = match self.state {
            State::Connecting { deadline } | State::Lost { deadline } => deadline <= now,
            State::Connected => false,
        };
        if is_given_up || self.is_broken {
            return Err(Ended);
        }
        self.handle(Input::Timeout(now))
    }

    fn handle(&mut self, input: Input<'_>) -> Result<(), Ended> {
        let rtc = &mut self.rtc;
        guard::call(|| rtc.handle_input(input)).map_err(|_| Ended)?.map_err(|error| {
            tracing::debug!(%error, "a media session failed");
            Ended
        })
    }

    /// Takes out everything that the session has to say. What it still sends at its end leaves, too.
    pub(crate) fn drain(
        &mut self,
        now: Instant,
        outbox: &mut Outbox,
        events: &mut Vec<SessionEvent>,
    ) -> Result<(), Ended> {
        let result = self.poll(now, outbox, events);
        self.burst.send(outbox);
        result
    }

    /// str0m lets one packet out and then wants to be woken a microsecond later, as long as its
    /// pacing lets more go. They are taken together, so that they leave as one burst.
    fn poll(
        &mut self,
        now: Instant,
        outbox: &mut Outbox,
        events: &mut Vec<SessionEvent>,
    ) -> Result<(), Ended> {
        let mut wakes = 0;
        loop {
            let rtc = &mut self.rtc;
            let output = guard::call(|| rtc.poll_output()).map_err(|_| Ended)?;
            match output {
                Ok(Output::Event(event)) => self.handle_event(now, event, events)?,
                Ok(Output::Timeout(at)) if at <= now + AT_ONCE && wakes < MAX_BURST => {
                    wakes += 1;
                    self.handle(Input::Timeout(at))?;
                }
                Ok(Output::Timeout(at)) => {
                    self.timeout = at;
                    return if self.rtc.is_alive() { Ok(()) } else { Err(Ended) };
                }
                Ok(Output::Transmit(transmit)) => self.send(&transmit, outbox),
                Err(error) => {
                    tracing::debug!(%error, "a media session failed");
                    return Err(Ended);
                }
            }
        }
    }

    #[expect(clippy::wildcard_enum_match_arm, reason = "str0m's events grow with its versions")]
    fn handle_event(
        &mut self,
        now: Instant,
        event: Event,
        events: &mut Vec<SessionEvent>,
    ) -> Result<(), Ended> {
        match event {
            Event::Closed => return Err(Ended),
            Event::Connected => {
                self.state = State::Connected;
                events.push(SessionEvent::Connected);
            }
            Event::EgressBitrateEstimate(BweKind::Twcc { estimate, .. }) => {
                events.push(SessionEvent::Estimate(Bitrate::bps(estimate.as_u64())));
            }
            Event::IceConnectionStateChange(state) => events.extend(self.ice_changed(now, state)),
            Event::KeyframeRequest(request) => {
                events.extend(Mid::new(&request.mid).map(SessionEvent::KeyframeWanted));
            }
            Event::PeerStats(stats) => events.push(SessionEvent::Stats(Box::new(stats))),
            Event::RtpPacket(packet) => {
                if let Some(path) = self.came_on.filter(|path| self.roaming.heard(now, *path)) {
                    events.push(SessionEvent::Moved(path.remote));
                }
                let ssrc = packet.header.ssrc;
                if self.ssrcs.len() < MAX_SOURCES && !self.ssrcs.contains(&ssrc) {
                    self.ssrcs.push(ssrc);
                    events.push(SessionEvent::Ssrc(ssrc));
                }
                if let Some(source) = self.source(ssrc) {
                    events.push(SessionEvent::Packet(source, Box::new(packet)));
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn ice_changed(&mut self, now: Instant, state: IceConnectionState) -> Option<SessionEvent> {
        match (self.state, state) {
            (State::Connected, IceConnectionState::Disconnected) => {
                self.state = State::Lost { deadline: now + LOST_TIMEOUT };
                Some(SessionEvent::Lost)
            }
            (State::Lost { .. }, IceConnectionState::Connected | IceConnectionState::Completed) => {
                self.state = State::Connected;
                Some(SessionEvent::Regained)
            }
            _ => None,
        }
    }

    /// Where packets with this SSRC come from.
    fn source(&mut self, ssrc: Ssrc) -> Option<Source> {
        if let Some(source) = self.sources.get(&ssrc) {
            return Some(*source);
        }
        let mut api = self.rtc.direct_api();
        let stream = api.stream_rx(&ssrc)?;
        let source = Source { mid: Mid::new(&stream.mid())?, rid: stream.rid() };
        if self.sources.len() >= MAX_SOURCES {
            self.sources.clear();
        }
        self.sources.insert(ssrc, source);
        Some(source)
    }

    /// Asks the peer for a key frame (RFC 4585 section 6.3.1). Flush afterwards.
    pub(crate) fn request_keyframe(&mut self, source: Source) -> bool {
        let mut api = self.rtc.direct_api();
        let Some(stream) = api.stream_rx_by_mid(source.mid.as_str().into(), source.rid) else {
            return false;
        };
        stream.request_keyframe(KeyframeRequestKind::Pli);
        true
    }

    /// Puts packets into a slot. `None` if the session has no such slot.
    pub(crate) fn forward(
        &mut self,
        now: Instant,
        ssrc: Ssrc,
        packets: &[Forward<'_>],
        outbox: &mut Outbox,
    ) -> Option<Written> {
        let is_first = self.burst.is_empty();
        let mut lens = std::mem::take(&mut outbox.lens);
        lens.clear();
        let buffer = self.burst.buffer(outbox);
        let start = buffer.len();
        let rtc = &mut self.rtc;
        let forward = || rtc.direct_api().forward_rtp(now, ssrc, packets, buffer, &mut lens);
        let written = match guard::call(forward) {
            Ok(ForwardRtp::Sent { proto, source, destination }) => {
                Transport::of(proto).map(|transport| {
                    let path = (transport, source, destination);
                    let destination = self.outward(path, Datagram::Media);
                    let path = Path { transport, source, destination };
                    self.burst.add(start, &lens, path, outbox);
                    Written { starts_burst: is_first, waits: lens.len() < packets.len() }
                })
            }
            Ok(ForwardRtp::Queued) => Some(Written { starts_burst: false, waits: true }),
            Ok(ForwardRtp::NoStream) => None,
            Err(Panicked) => {
                self.is_broken = true;
                Some(Written { starts_burst: false, waits: true })
            }
        };
        if written.is_none_or(|written| !written.starts_burst && is_first) {
            self.burst.discard(start, outbox);
        }
        outbox.lens = lens;
        written
    }

    /// How long the first packet has waited that pacing holds back in a slot.
    pub(crate) fn waited(&mut self, now: Instant, ssrc: Ssrc) -> Duration {
        let api = self.rtc.direct_api();
        let first = api.queue_info(&ssrc).and_then(|queue| queue.first_unsent());
        first.map_or(Duration::ZERO, |first| now.saturating_duration_since(first))
    }

    /// Drops what waits to be sent in a slot, and forgets what was sent. Returns the number of the
    /// first packet dropped: it and those behind it are free.
    pub(crate) fn drop_queued(&mut self, ssrc: Ssrc) -> Option<u64> {
        let mut api = self.rtc.direct_api();
        let first = api.stream_tx(&ssrc)?.drop_queued()?;
        Some(*first)
    }

    /// Sends what was written and did not have to wait.
    pub(crate) fn send_burst(&mut self, outbox: &mut Outbox) {
        self.burst.send(outbox);
    }

    fn send(&mut self, transmit: &str0m::net::Transmit, outbox: &mut Outbox) {
        let Some(transport) = Transport::of(transmit.proto) else { return };
        let source = transmit.source;
        let path = (transport, source, transmit.destination);
        let destination = self.outward(path, Datagram::of(&transmit.contents));
        let buffer = self.burst.buffer(outbox);
        let start = buffer.len();
        buffer.extend_from_slice(&transmit.contents);
        let path = Path { transport, source, destination };
        self.burst.add(start, &[transmit.contents.len()], path, outbox);
    }

    /// Where the peer is that str0m takes to be at `remote`.
    fn outward(
        &mut self,
        (transport, local, remote): (Transport, SocketAddr, SocketAddr),
        datagram: Datagram,
    ) -> SocketAddr {
        match transport {
            Transport::Tcp => remote,
            Transport::Udp => self.roaming.outward(UdpPath { local, remote }, datagram),
        }
    }

    /// Tells the bandwidth estimation what the node sends at least, and what it would like to.
    pub(crate) fn set_desired_bitrate(&mut self, sustained: Bitrate, desired: Bitrate) {
        let rate = |rate: Bitrate| str0m::bwe::Bitrate::bps(rate.as_bps());
        self.rtc.bwe().set_bitrate(rate(sustained), rate(desired));
    }
}

/// Bounds what is kept of a slot's stream to be sent again.
fn limit_history(rtc: &mut Rtc, slot: &Slot) {
    let (packets, age) = match slot.kind {
        MediaKind::Audio => (MAX_SOUND_HISTORY, SOUND_HISTORY_AGE),
        MediaKind::Video => (MAX_HISTORY, HISTORY_AGE),
    };
    if let Some(stream) = rtc.direct_api().stream_tx(&slot.ssrc) {
        stream.set_rtx_cache(packets, age, Some(RESENT_SHARE));
    }
}

/// A media section as a receiving slot, if it is one.
fn slot(rtc: &mut Rtc, mid: Mid) -> Option<Slot> {
    let media = rtc.media(mid.as_str().into())?;
    if media.direction() != Direction::SendOnly {
        return None;
    }
    let kind = if media.kind().is_audio() { MediaKind::Audio } else { MediaKind::Video };
    let payload_types = PayloadTypes::read(rtc, media)?;
    let ssrc = rtc.direct_api().stream_tx_by_mid(mid.as_str().into(), None)?.ssrc();
    Some(Slot { mid, kind, ssrc, payload_types })
}

impl Transport {
    /// `None` for a protocol that the node does not offer.
    const fn of(protocol: Protocol) -> Option<Self> {
        match protocol {
            Protocol::Tcp => Some(Self::Tcp),
            Protocol::Udp => Some(Self::Udp),
            Protocol::SslTcp | Protocol::Tls => None,
        }
    }

    pub(crate) const fn protocol(self) -> Protocol {
        match self {
            Self::Tcp => Protocol::Tcp,
            Self::Udp => Protocol::Udp,
        }
    }
}
