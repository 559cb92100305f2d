use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use conclave_model::{MediaKind, Mid, PublicationId, TrackSource};
use conclave_wire::{AudioSlot, Offer, PictureDemand, PublishedTrack, VideoSlot};
use str0m::change::{SdpAnswer, SdpPendingOffer};
use str0m::format::Codec;
use str0m::media::{
    Direction, KeyframeRequestKind, MediaData, MediaKind as RtcKind, MediaTime, Mid as RtcMid, Pt,
    Rid, Simulcast, SimulcastLayer,
};
use str0m::net::{Protocol, Receive};
use str0m::rtp::{RtpWrite, SeqNo};
use str0m::{Candidate, Event, Input, Output, Rtc, RtcError};

use crate::codec::{frame_codec, take_vp9};
use crate::config::Config;
use crate::incoming::Arrival;
use crate::io::Transmit;
use crate::ledger::{FrameCount, Ledger};
use crate::packetize::Vp8Packetizer;
use crate::picture::{is_keyframe, keyframe_size};

/// How long a media session may take to connect once it is answered.
const CONNECT_LIMIT: Duration = Duration::from_secs(10);

/// A connected session that hears nothing for so long is dead: even an idle server answers the
/// consent checks of ICE (RFC 7675) every few seconds.
const SILENCE_LIMIT: Duration = Duration::from_secs(8);

/// How often a path that works is checked at least, and how many checks must go unanswered in a row
/// until it is given up: those of half a minute, as consent lasts (RFC 7675 section 5.1). Of nine, the
/// library's own measure, a path that loses a third each way loses all now and then.
const CHECK_INTERVAL: Duration = Duration::from_secs(2);
const UNANSWERED_CHECKS: usize = 16;

/// After so long without a datagram a session is not worth keeping over a lost socket.
const DOUBT_LIMIT: Duration = Duration::from_secs(3);

/// How often sound is reported on. With the reports, the round trip is measured after which to ask
/// again for what is missing.
const SOUND_REPORT_INTERVAL: Duration = Duration::from_secs(1);

/// How often a slot asks for a key frame that does not come.
const KEYFRAME_REQUEST_INTERVAL: Duration = Duration::from_millis(500);

/// A simulcast layer, lowest first.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Layer {
    /// A quarter of the full width and height.
    Quarter,
    /// Half of the full width and height.
    Half,
    /// Full size.
    Full,
}

impl Layer {
    /// All layers, lowest first.
    pub const ALL: [Self; 3] = [Self::Quarter, Self::Half, Self::Full];

    /// Its RTP stream id (RFC 8852), the same as browsers are told to use.
    pub const fn rid(self) -> &'static str {
        match self {
            Self::Quarter => "q",
            Self::Half => "h",
            Self::Full => "f",
        }
    }
}

/// An encoded frame to be published.
#[derive(Clone, Debug)]
pub struct MediaFrame {
    /// The track it is of.
    pub source: TrackSource,
    /// Its simulcast layer; `None` for sound.
    pub layer: Option<Layer>,
    /// Its time since the track's start.
    pub time: Duration,
    /// What the encoder made: an Opus packet, or a VP8 frame. It is sealed before it is sent.
    pub data: Arc<[u8]>,
}

/// What a media session tells the participant.
#[derive(Clone, Copy, Debug)]
pub(crate) enum SessionEvent {
    Connected,
    KeyframeWanted(TrackSource),
}

/// One `Rtc`: from its offer to its death. A dead one is replaced, never revived.
#[derive(Debug)]
pub(crate) struct MediaSession {
    pub(crate) generation: u32,
    rtc: Rtc,
    pending: Option<SdpPendingOffer>,
    state: State,
    microphone: Option<RtcMid>,
    camera: Option<CameraTx>,
    slots: BTreeMap<Mid, Slot>,
    /// When the `Rtc` wants to be called again.
    deadline: Instant,
    /// When something last came in.
    heard_at: Instant,
    /// When a frame last came in.
    pub(crate) last_frame_at: Option<Instant>,
    pub(crate) first_frame_at: BTreeMap<MediaKind, Instant>,
    /// Whole frames that came in, still sealed.
    pub(crate) arrivals: VecDeque<Arrival>,
    pub(crate) transmits: VecDeque<Transmit>,
    pub(crate) events: VecDeque<SessionEvent>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum State {
    Offered,
    Answered { at: Instant },
    Connected,
    Dead,
}

impl MediaSession {
    /// Makes a session and its offer. `seed` says where the counters of RTP start; with a `relayed`
    /// address, media takes no other path.
    ///
    /// # Errors
    ///
    /// [`SessionError`] if no offer can be made of `config`.
    pub(crate) fn new(
        now: Instant,
        generation: u32,
        seed: u64,
        config: &Config,
        relayed: Option<SocketAddr>,
    ) -> Result<(Self, Offer), SessionError> {
        let mut builder = Rtc::builder()
            .clear_codecs()
            .enable_opus(true, false)
            .enable_vp8(true)
            // Who plays sound has a buffer of its own, in which a missing packet delays no other.
            .set_reordering_size_audio(0)
            .set_rtcp_report_interval_audio(SOUND_REPORT_INTERVAL)
            .set_stats_interval(None);
        builder.set_max_stun_rto(CHECK_INTERVAL);
        builder.set_max_stun_retransmits(UNANSWERED_CHECKS);
        take_vp9(builder.codec_config());
        for sound in builder.codec_config().iter_mut().filter(|p| p.spec().codec.is_audio()) {
            sound.set_fb_nack(true);
        }
        let mut rtc = builder.build(now);
        let candidates: Vec<_> = match relayed {
            Some(address) => vec![Candidate::relayed(address, address, "udp")],
            None => config.addresses.iter().map(|&at| Candidate::host(at, "udp")).collect(),
        };
        for candidate in candidates {
            rtc.add_local_candidate(candidate.map_err(|_| SessionError::Address)?);
        }

        let mut slots = BTreeMap::new();
        let mut changes = rtc.sdp_api();
        let microphone = config
            .sends
            .microphone
            .then(|| changes.add_media(RtcKind::Audio, Direction::SendOnly, None, None, None));
        let camera = config.sends.camera.then(|| {
            let mut simulcast = Simulcast::new();
            for layer in Layer::ALL {
                simulcast.add_send_layer(SimulcastLayer::new(layer.rid()));
            }
            let send = Direction::SendOnly;
            let mid = changes.add_media(RtcKind::Video, send, None, None, Some(simulcast));
            CameraTx::new(mid, seed)
        });
        let pool = std::iter::repeat_n(MediaKind::Audio, config.audio_slots)
            .chain(std::iter::repeat_n(MediaKind::Video, config.video_slots));
        for kind in pool {
            let rtc_kind = match kind {
                MediaKind::Audio => RtcKind::Audio,
                MediaKind::Video => RtcKind::Video,
            };
            let mid = changes.add_media(rtc_kind, Direction::RecvOnly, None, None, None);
            slots.insert(model_mid(mid)?, Slot::new(mid, kind));
        }
        let (sdp, pending) = changes.apply().ok_or(SessionError::Empty)?;

        let track = |mid, source| Ok(PublishedTrack { mid: model_mid(mid)?, source });
        let tracks = [
            microphone.map(|mid| track(mid, TrackSource::Microphone)),
            camera.as_ref().map(|camera| track(camera.mid, TrackSource::Camera)),
        ];
        let tracks = tracks.into_iter().flatten().collect::<Result<_, SessionError>>()?;
        let offer = Offer { generation, sdp: sdp.to_sdp_string(), tracks };
        let session = Self {
            generation,
            rtc,
            pending: Some(pending),
            state: State::Offered,
            microphone,
            camera,
            slots,
            deadline: now,
            heard_at: now,
            last_frame_at: None,
            first_frame_at: BTreeMap::new(),
            arrivals: VecDeque::new(),
            transmits: VecDeque::new(),
            events: VecDeque::new(),
        };
        Ok((session, offer))
    }

    /// Takes the answer to the offer.
    ///
    /// # Errors
    ///
    /// [`SessionError::Answer`] if it does not fit the offer; the session is dead then.
    pub(crate) fn accept_answer(&mut self, now: Instant, sdp: &str) -> Result<(), SessionError> {
        let Some(pending) = self.pending.take() else { return Ok(()) };
        let accepted =
            SdpAnswer::from_sdp_string(sdp).map_err(|_| SessionError::Answer).and_then(|answer| {
                self.rtc.sdp_api().accept_answer(pending, answer).map_err(|_| SessionError::Answer)
            });
        if accepted.is_err() {
            self.state = State::Dead;
            return accepted;
        }
        self.state = State::Answered { at: now };
        self.handle_timeout(now);
        Ok(())
    }

    /// Takes a datagram. What is not for this session is dropped.
    pub(crate) fn handle_datagram(
        &mut self,
        now: Instant,
        source: SocketAddr,
        destination: SocketAddr,
        contents: &[u8],
    ) {
        let Ok(receive) = Receive::new(Protocol::Udp, source, destination, contents) else {
            return;
        };
        let input = Input::Receive(now, receive);
        if self.state == State::Dead || !self.rtc.accepts(&input) {
            return;
        }
        self.heard_at = now;
        let handled = self.rtc.handle_input(input);
        self.drain(now, handled);
    }

    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        if self.state == State::Dead {
            return;
        }
        let handled = self.rtc.handle_input(Input::Timeout(now));
        self.drain(now, handled);
    }

    /// Takes what signalling says of who is shown the picture.
    pub(crate) fn demand(&mut self, pictures: &[PictureDemand]) {
        let Some(camera) = &mut self.camera else { return };
        let listed = pictures.iter().find(|picture| picture.mid.as_str() == &*camera.mid);
        camera.demanded = listed.map_or(Layer::ALL.len(), |picture| usize::from(picture.layers));
    }

    /// Whether a frame of that source and layer would be sent.
    pub(crate) fn sends(&self, source: TrackSource, layer: Option<Layer>) -> bool {
        let has_track = match source {
            TrackSource::Camera => self.camera.as_ref().is_some_and(|camera| {
                Layer::ALL.iter().take(camera.demanded).any(|demanded| Some(*demanded) == layer)
            }),
            TrackSource::Microphone => self.microphone.is_some(),
            TrackSource::Screen | TrackSource::ScreenAudio => false,
        };
        has_track && self.state == State::Connected
    }

    /// Sends a frame that was sealed.
    pub(crate) fn publish(&mut self, now: Instant, frame: &MediaFrame) -> bool {
        let sent = match frame.source.kind() {
            MediaKind::Audio => self.publish_audio(now, frame),
            MediaKind::Video => self.publish_video(now, frame),
        };
        if sent.is_some() {
            self.handle_timeout(now);
        }
        sent.is_some()
    }

    fn publish_audio(&mut self, now: Instant, frame: &MediaFrame) -> Option<()> {
        let mid = self.microphone?;
        let pt = self.payload_type(mid, Codec::Opus)?;
        let time = MediaTime::from_micros(u64::try_from(frame.time.as_micros()).ok()?);
        let writer = self.rtc.writer(mid)?.audio_level(TONE_LEVEL, true);
        writer.write(pt, now, time, Arc::clone(&frame.data)).ok()
    }

    fn publish_video(&mut self, now: Instant, frame: &MediaFrame) -> Option<()> {
        let mid = self.camera.as_ref()?.mid;
        let pt = self.payload_type(mid, Codec::Vp8)?;
        let layer = frame.layer?;
        let tx = self.camera.as_mut()?.layers.iter_mut().find(|tx| tx.layer == layer)?;
        let stream_rid = Some(Rid::from(layer.rid()));
        let mut api = self.rtc.direct_api();
        let stream = api.stream_tx_by_mid(mid, stream_rid)?;
        let ticks = u32::try_from(frame.time.as_micros() * 90 / 1000 % (1 << 32)).ok()?;
        let payloads = tx.packetizer.packetize(&frame.data);
        let last = payloads.len().saturating_sub(1);
        for (number, payload) in payloads.into_iter().enumerate() {
            let seq = SeqNo::from(tx.next_seq);
            let time = tx.first_time.wrapping_add(ticks);
            let packet = RtpWrite::new(pt, seq, time, now, payload);
            stream.write_rtp(packet.marker(number == last).nackable(true));
            tx.next_seq += 1;
        }
        Some(())
    }

    fn payload_type(&self, mid: RtcMid, codec: Codec) -> Option<Pt> {
        let negotiated = self.rtc.media(mid)?.remote_pts();
        let mut params = self.rtc.codec_config().params().iter();
        params.find(|p| p.spec().codec == codec && negotiated.contains(&p.pt())).map(|p| p.pt())
    }

    /// Takes what signalling says that the slots carry.
    pub(crate) fn assign(&mut self, audio: &[AudioSlot], video: &[VideoSlot], ledger: &mut Ledger) {
        let mut carried: BTreeMap<Mid, (PublicationId, bool)> = BTreeMap::new();
        carried.extend(audio.iter().map(|slot| (slot.mid, (slot.publication, false))));
        carried.extend(video.iter().map(|slot| (slot.mid, (slot.publication, slot.paused))));
        for (mid, slot) in &mut self.slots {
            let (publication, paused) =
                carried.get(mid).map_or((None, false), |&(id, paused)| (Some(id), paused));
            if slot.publication == publication && slot.paused == paused {
                continue;
            }
            slot.last_frame_at = None;
            slot.paused = paused;
            if slot.publication != publication {
                slot.publication = publication;
                slot.is_fresh = true;
                if let Some(publication) = publication {
                    ledger.count_assignment(publication);
                }
            }
        }
    }

    /// Whether the session must be replaced.
    pub(crate) fn is_dead(&self, now: Instant) -> bool {
        match self.state {
            State::Answered { at } => now >= at + CONNECT_LIMIT,
            State::Connected => now >= self.heard_at + SILENCE_LIMIT,
            State::Dead => true,
            State::Offered => false,
        }
    }

    /// Whether the session is worth keeping when a lost socket comes back.
    pub(crate) fn is_worth_keeping(&self, now: Instant) -> bool {
        self.state == State::Connected && now < self.heard_at + DOUBT_LIMIT
    }

    pub(crate) fn kill(&mut self) {
        self.state = State::Dead;
    }

    /// When to call [`handle_timeout`](Self::handle_timeout) next.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        match self.state {
            State::Answered { at } => Some(self.deadline.min(at + CONNECT_LIMIT)),
            State::Connected => Some(self.deadline.min(self.heard_at + SILENCE_LIMIT)),
            State::Dead | State::Offered => None,
        }
    }

    fn drain(&mut self, now: Instant, handled: Result<(), RtcError>) {
        if handled.is_err() {
            self.state = State::Dead;
            return;
        }
        loop {
            match self.rtc.poll_output() {
                Err(_) => {
                    self.state = State::Dead;
                    return;
                }
                Ok(Output::Timeout(at)) => {
                    self.deadline = at;
                    return;
                }
                Ok(Output::Transmit(transmit)) => self.transmits.push_back(Transmit {
                    source: transmit.source,
                    destination: transmit.destination,
                    contents: transmit.contents.into(),
                }),
                Ok(Output::Event(event)) => self.handle_event(now, event),
            }
        }
    }

    #[expect(clippy::wildcard_enum_match_arm, reason = "str0m has many events for other users")]
    fn handle_event(&mut self, now: Instant, event: Event) {
        match event {
            Event::Connected => {
                self.state = State::Connected;
                self.events.push_back(SessionEvent::Connected);
            }
            Event::IceConnectionStateChange(state) if state.is_disconnected() => self.kill(),
            Event::Closed => self.kill(),
            Event::KeyframeRequest(request) => {
                let camera = self.camera.as_ref().is_some_and(|camera| camera.mid == request.mid);
                if camera {
                    self.events.push_back(SessionEvent::KeyframeWanted(TrackSource::Camera));
                }
            }
            Event::MediaData(data) => self.handle_frame(now, data),
            _ => {}
        }
    }

    fn handle_frame(&mut self, now: Instant, data: MediaData) {
        let Ok(mid) = model_mid(data.mid) else { return };
        let Some(slot) = self.slots.get_mut(&mid) else { return };
        let Some(codec) = frame_codec(data.params.spec().codec) else { return };
        let (first, last) = (**data.seq_range.start(), **data.seq_range.end());
        let lost_packets = slot.last_seq.map_or(0, |seq| first.saturating_sub(seq + 1));
        slot.last_seq = slot.last_seq.max(Some(last));
        self.arrivals.push_back(Arrival {
            mid,
            codec,
            at: now,
            sealed: data.data,
            lost_packets,
            contiguous: data.contiguous,
        });
    }

    /// What a slot carries, as signalling says.
    pub(crate) fn publication(&self, mid: Mid) -> Option<PublicationId> {
        self.slots.get(&mid)?.publication
    }

    /// Counts a frame that was opened.
    pub(crate) fn count(
        &mut self,
        now: Instant,
        arrival: &Arrival,
        frame: &[u8],
        ledger: &mut Ledger,
    ) {
        let Some(slot) = self.slots.get_mut(&arrival.mid) else { return };
        let Some(publication) = slot.publication else { return };
        self.last_frame_at = Some(now);
        self.first_frame_at.entry(slot.kind).or_insert(now);
        ledger.count_frame(publication, slot.take_frame(now, arrival, frame));
        self.ask_keyframe(now, arrival.mid);
    }

    /// Takes note of a frame that was dropped: those behind it cannot be decoded without it.
    pub(crate) fn miss(&mut self, now: Instant, mid: Mid) {
        let Some(slot) = self.slots.get_mut(&mid) else { return };
        slot.needs_keyframe |= slot.kind == MediaKind::Video;
        self.ask_keyframe(now, mid);
    }

    fn ask_keyframe(&mut self, now: Instant, mid: Mid) {
        let Some(slot) = self.slots.get_mut(&mid) else { return };
        let ask = slot.needs_keyframe
            && slot.asked_at.is_none_or(|at| now >= at + KEYFRAME_REQUEST_INTERVAL);
        if ask && let Some(mut writer) = self.rtc.writer(slot.rtc_mid) {
            slot.asked_at = Some(now);
            // Refused only while the stream is unknown, and then there is nothing to ask for.
            let _ = writer.request_keyframe(None, KeyframeRequestKind::Pli);
        }
    }
}

/// -30 dBov with voice: the tone is as loud as a speaker.
const TONE_LEVEL: i8 = -30;

/// The sending side of the camera.
#[derive(Debug)]
struct CameraTx {
    mid: RtcMid,
    layers: [LayerTx; 3],
    /// How many of them anybody is shown, lowest first.
    demanded: usize,
}

impl CameraTx {
    /// `seed` gives sequence numbers, times and picture ids an arbitrary start, as RTP wants it.
    fn new(mid: RtcMid, seed: u64) -> Self {
        let mut state = seed;
        let layers = Layer::ALL.map(|layer| {
            // One step of a linear congruential generator (Knuth's MMIX).
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            let [b0, b1, b2, b3, b4, b5, b6, b7] = state.to_be_bytes();
            LayerTx {
                layer,
                // The extended number must start below 2^16, or receivers cannot decrypt.
                next_seq: u16::from_be_bytes([b0, b1]).into(),
                first_time: u32::from_be_bytes([b2, b3, b4, b5]),
                packetizer: Vp8Packetizer::new(u16::from_be_bytes([b6, b1]), b7),
            }
        });
        Self { mid, layers, demanded: Layer::ALL.len() }
    }
}

#[derive(Debug)]
struct LayerTx {
    layer: Layer,
    next_seq: u64,
    first_time: u32,
    packetizer: Vp8Packetizer,
}

/// A receiving slot.
#[derive(Debug)]
struct Slot {
    rtc_mid: RtcMid,
    kind: MediaKind,
    publication: Option<PublicationId>,
    paused: bool,
    /// Assigned anew, and no frame seen since.
    is_fresh: bool,
    last_seq: Option<u64>,
    last_frame_at: Option<Instant>,
    /// A decoder could not go on without one.
    needs_keyframe: bool,
    asked_at: Option<Instant>,
}

impl Slot {
    const fn new(rtc_mid: RtcMid, kind: MediaKind) -> Self {
        Self {
            rtc_mid,
            kind,
            publication: None,
            paused: false,
            is_fresh: false,
            last_seq: None,
            last_frame_at: None,
            needs_keyframe: matches!(kind, MediaKind::Video),
            asked_at: None,
        }
    }

    fn take_frame(&mut self, now: Instant, arrival: &Arrival, frame: &[u8]) -> FrameCount {
        let gap = self.last_frame_at.map(|at| now.saturating_duration_since(at));
        self.last_frame_at = Some(now);

        let video = self.kind == MediaKind::Video;
        let keyframe = is_keyframe(arrival.codec, frame);
        let of_another = std::mem::take(&mut self.is_fresh);
        if keyframe {
            self.needs_keyframe = false;
        } else if video {
            let broken = arrival.lost_packets > 0 || !arrival.contiguous;
            self.needs_keyframe |= of_another || broken;
        }
        FrameCount {
            bytes: frame.len(),
            keyframe,
            decodable: !self.needs_keyframe,
            lost_packets: arrival.lost_packets,
            gap,
            size: keyframe_size(arrival.codec, frame),
        }
    }
}

fn model_mid(mid: RtcMid) -> Result<Mid, SessionError> {
    Mid::new(&mid).ok_or(SessionError::Mid)
}

/// Why there is no media session.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum SessionError {
    /// A local address is no ICE candidate: unspecified, link-local or multicast.
    #[error("a local address cannot be a candidate")]
    Address,
    /// The server's answer does not fit the offer.
    #[error("the server's answer does not fit the offer")]
    Answer,
    /// The participant neither sends nor receives.
    #[error("nothing to send and nothing to receive")]
    Empty,
    /// A media section has an id that signalling cannot carry.
    #[error("a media section's id is malformed")]
    Mid,
}
