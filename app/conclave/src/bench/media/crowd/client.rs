//! One client of a crowd: ICE, DTLS and SRTP by str0m, and a socket. Most listeners open nothing of
//! the media that they get, so that one core holds a thousand of them.

use std::io::ErrorKind;
use std::net::{SocketAddr, UdpSocket};
use std::time::Instant;

use anyhow::Context as _;
use str0m::change::{SdpAnswer, SdpPendingOffer};
use str0m::media::{Direction, MediaKind, Mid};
use str0m::net::{Protocol, Receive};
use str0m::rtp::{ExtensionValues, RtpWrite};
use str0m::{Candidate, Event, Input, Output, Rtc};

use super::tally::{Header, Tally};
use crate::bench::media::camera::{self, Camera, Packet};
use crate::bench::media::client::nanoseconds;
use crate::bench::media::line::transmitted;

/// What a client is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Role {
    /// It speaks, and shows itself or not.
    Publisher { camera: bool },
    /// It listens and shows one picture. It opens what it gets and reports on it, as browsers do,
    /// or only counts it.
    Listener { opens: bool },
}

/// A client.
pub(super) struct Client {
    role: Role,
    rtc: Rtc,
    socket: UdpSocket,
    local: SocketAddr,
    server: SocketAddr,
    /// The media sections of sound and of a picture: for a listener, the first of each.
    microphone: Mid,
    camera: Option<Mid>,
    /// The payload types of both: what comes with others repeats something, or is padding.
    payload_types: Vec<u8>,
    pending: Option<SdpPendingOffer>,
    due: Instant,
    epoch: Instant,
    pictures: Camera,
    sounds: u64,
    pub(super) tally: Tally,
    /// How long each packet was under way that it opened, in microseconds.
    pub(super) delays_us: Vec<u32>,
}

/// Receiving slots for sound, as clients of ours have them.
const SOUND_SLOTS: usize = 3;

/// Longer than any datagram of this measurement.
const MAX_DATAGRAM: usize = 2048;

/// Datagrams taken from one socket before the others have their turn.
const BUDGET: usize = 64;

/// Bytes of 20 ms of speech, sealed.
const SOUND: usize = 100;

/// The ticks of 20 ms of Opus (RFC 7587, section 4.1).
const SOUND_TICKS: u32 = 960;

/// How loud speech is, in dBov (RFC 6464).
const SPEECH: i8 = -25;

impl Client {
    /// A client at a port of its own, with its offer to the server at this address.
    pub(super) fn new(
        server: SocketAddr,
        role: Role,
        epoch: Instant,
    ) -> anyhow::Result<(Self, String)> {
        let socket = UdpSocket::bind(SocketAddr::new(server.ip(), 0))?;
        socket.connect(server)?;
        socket.set_nonblocking(true)?;
        let local = socket.local_addr()?;

        let now = Instant::now();
        let builder = Rtc::builder().clear_codecs().enable_vp8(true).enable_opus(true, false);
        let mut rtc = builder.set_rtp_mode(true).build(now);
        rtc.add_local_candidate(Candidate::host(local, "udp")?);
        let mut api = rtc.sdp_api();
        let (direction, sounds, has_picture) = match role {
            Role::Publisher { camera } => (Direction::SendOnly, 1, camera),
            Role::Listener { .. } => (Direction::RecvOnly, SOUND_SLOTS, true),
        };
        let microphone = api.add_media(MediaKind::Audio, direction, None, None, None);
        for _ in 1..sounds {
            api.add_media(MediaKind::Audio, direction, None, None, None);
        }
        let camera =
            has_picture.then(|| api.add_media(MediaKind::Video, direction, None, None, None));
        let (offer, pending) = api.apply().context("nothing to offer")?;

        let client = Self {
            role,
            rtc,
            socket,
            local,
            server,
            microphone,
            camera,
            payload_types: Vec::new(),
            pending: Some(pending),
            due: now,
            epoch,
            pictures: Camera::default(),
            sounds: 0,
            tally: Tally::default(),
            delays_us: Vec::new(),
        };
        Ok((client, offer.to_sdp_string()))
    }

    /// Where it sends sound, or gets some.
    pub(super) const fn microphone(&self) -> Mid {
        self.microphone
    }

    /// Where it sends a picture, or gets one.
    pub(super) const fn camera(&self) -> Option<Mid> {
        self.camera
    }

    /// Whether it opens what it gets.
    pub(super) const fn opens(&self) -> bool {
        match self.role {
            Role::Publisher { .. } => true,
            Role::Listener { opens } => opens,
        }
    }

    /// Takes the answer to its offer.
    pub(super) fn accept(&mut self, answer: &str) -> anyhow::Result<()> {
        let answer = SdpAnswer::from_sdp_string(answer)?;
        let pending = self.pending.take().context("an answer to no offer")?;
        self.rtc.sdp_api().accept_answer(pending, answer)?;
        let sections = [Some(self.microphone), self.camera].into_iter().flatten();
        let first = |mid| self.rtc.media(mid)?.remote_pts().first().map(|pt| **pt);
        self.payload_types = sections.filter_map(first).collect();
        self.wake()
    }

    /// Sends 20 ms of speech.
    pub(super) fn speak(&mut self) -> anyhow::Result<()> {
        self.sounds += 1;
        let timestamp = (self.sounds as u32).wrapping_mul(SOUND_TICKS);
        let payload = camera::stamped(nanoseconds(Instant::now(), self.epoch), SOUND);
        let packet = Packet { seq: self.sounds, timestamp, last: false, payload };
        let level = ExtensionValues {
            audio_level: Some(SPEECH),
            voice_activity: Some(true),
            ..<_>::default()
        };
        self.send(self.microphone, packet, level)
    }

    /// Sends a frame of so many packets.
    pub(super) fn show(&mut self, packets: u32, fps: u32) -> anyhow::Result<()> {
        let Some(mid) = self.camera else { return Ok(()) };
        self.pictures.begin_frame(fps);
        for part in 0..packets {
            let sent_at = nanoseconds(Instant::now(), self.epoch);
            let packet = self.pictures.packet(part == 0, part + 1 == packets, sent_at);
            self.send(mid, packet, ExtensionValues::default())?;
        }
        Ok(())
    }

    fn send(&mut self, mid: Mid, packet: Packet, level: ExtensionValues) -> anyhow::Result<()> {
        let media = self.rtc.media(mid).context("no such section")?;
        let payload_type = *media.remote_pts().first().context("no codec")?;
        let Packet { seq, timestamp, last, payload } = packet;
        let write = RtpWrite::new(payload_type, seq.into(), timestamp, Instant::now(), payload)
            .marker(last)
            .ext_vals(level)
            .nackable(true);
        let mut api = self.rtc.direct_api();
        api.stream_tx_by_mid(mid, None).context("no stream")?.write_rtp(write);
        self.wake()
    }

    /// Takes what has come, and does what time demands.
    pub(super) fn turn(&mut self) -> anyhow::Result<()> {
        for _ in 0..BUDGET {
            if !self.receive()? {
                break;
            }
        }
        if self.due <= Instant::now() { self.wake() } else { Ok(()) }
    }

    /// Takes one datagram, if there is one.
    fn receive(&mut self) -> anyhow::Result<bool> {
        let mut buffer = [0; MAX_DATAGRAM];
        let length = match self.socket.recv(&mut buffer) {
            Ok(length) => length,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
            Err(error) => return Err(error).context("cannot receive"),
        };
        let now = Instant::now();
        let bytes = buffer.get(..length).unwrap_or_default();
        if let Some(header) = Header::of(bytes) {
            if self.payload_types.contains(&header.payload_type) {
                self.tally.take(nanoseconds(now, self.epoch), header);
            }
            if !self.opens() {
                return Ok(true);
            }
        }
        let receive = Receive::new(Protocol::Udp, self.server, self.local, bytes)?;
        self.rtc.handle_input(Input::Receive(now, receive))?;
        self.drain(now)?;
        Ok(true)
    }

    fn wake(&mut self) -> anyhow::Result<()> {
        let now = Instant::now();
        self.rtc.handle_input(Input::Timeout(now))?;
        self.drain(now)
    }

    /// Takes out everything that the session has to say.
    fn drain(&mut self, now: Instant) -> anyhow::Result<()> {
        loop {
            match self.rtc.poll_output()? {
                Output::Event(Event::KeyframeRequest(_)) => self.pictures.want_keyframe(),
                Output::Event(Event::RtpPacket(packet)) => {
                    let delay = camera::sent_at(&packet.payload)
                        .map(|sent_at| nanoseconds(now, self.epoch).saturating_sub(sent_at));
                    let delay = delay.map(|delay| u32::try_from(delay / 1000).unwrap_or(u32::MAX));
                    self.delays_us.extend(delay);
                }
                Output::Event(_) => {}
                Output::Timeout(at) => {
                    self.due = at;
                    return Ok(());
                }
                Output::Transmit(transmit) => transmitted(self.socket.send(&transmit.contents))?,
            }
        }
    }
}
