//! One client: ICE, DTLS and SRTP with everything that a browser's have, and a way to the server.

use std::net::SocketAddr;
use std::time::Instant;

use anyhow::Context as _;
use str0m::change::{SdpAnswer, SdpPendingOffer};
use str0m::media::{Direction, MediaKind, Mid};
use str0m::net::{Protocol, Receive};
use str0m::rtp::RtpWrite;
use str0m::{Event, Input, Output, Rtc};

use super::camera::{Camera, Packet};
use super::line::Line;
use super::tally::Tally;

/// A client that publishes one camera or shows one.
pub(in crate::bench) struct Client {
    rtc: Rtc,
    line: Line,
    /// Its own address, as the server sees it.
    pub(in crate::bench) local: SocketAddr,
    server: SocketAddr,
    mid: Mid,
    pending: Option<SdpPendingOffer>,
    /// When the session wants to be woken.
    due: Instant,
    /// What instants are counted from, the same for all clients.
    epoch: Instant,
    /// What it publishes, if it does.
    pub(in crate::bench) camera: Camera,
    /// What it got, if it shows something.
    pub(in crate::bench) tally: Tally,
}

/// Longer than any datagram of this measurement.
const MAX_DATAGRAM: usize = 2048;

/// Datagrams taken from one socket before the others have their turn.
const BUDGET: usize = 64;

impl Client {
    /// A client at a port of its own, with its offer to the server at this address.
    pub(in crate::bench) fn new(
        server: SocketAddr,
        direction: Direction,
        epoch: Instant,
    ) -> anyhow::Result<(Self, String)> {
        Self::over(Line::direct(server)?, server, direction, epoch)
    }

    /// A client with a way to the server at this address, and its offer.
    pub(super) fn over(
        line: Line,
        server: SocketAddr,
        direction: Direction,
        epoch: Instant,
    ) -> anyhow::Result<(Self, String)> {
        let local = line.local()?;
        let now = Instant::now();
        let mut rtc = Rtc::builder().clear_codecs().enable_vp8(true).set_rtp_mode(true).build(now);
        rtc.add_local_candidate(line.candidate()?);
        let mut api = rtc.sdp_api();
        let mid = api.add_media(MediaKind::Video, direction, None, None, None);
        let (offer, pending) = api.apply().context("nothing to offer")?;

        let client = Self {
            rtc,
            line,
            local,
            server,
            mid,
            pending: Some(pending),
            due: now,
            epoch,
            camera: Camera::default(),
            tally: Tally::new(),
        };
        Ok((client, offer.to_sdp_string()))
    }

    /// The media section of what it publishes or shows.
    pub(in crate::bench) const fn mid(&self) -> Mid {
        self.mid
    }

    /// Takes the answer to its offer.
    pub(in crate::bench) fn accept(&mut self, answer: &str) -> anyhow::Result<()> {
        let answer = SdpAnswer::from_sdp_string(answer)?;
        let pending = self.pending.take().context("an answer to no offer")?;
        self.rtc.sdp_api().accept_answer(pending, answer)?;
        self.wake()
    }

    /// Takes an answer that comes from the shard at another address.
    pub(in crate::bench) fn accept_from(
        &mut self,
        server: SocketAddr,
        answer: &str,
    ) -> anyhow::Result<()> {
        self.line.turn_to(server)?;
        self.server = server;
        self.accept(answer)
    }

    /// Publishes a frame of so many packets.
    pub(in crate::bench) fn send_frame(&mut self, burst: u32, fps: u32) -> anyhow::Result<()> {
        self.camera.begin_frame(fps);
        for part in 0..burst {
            let sent_at = nanoseconds_since(self.epoch);
            let packet = self.camera.packet(part == 0, part + 1 == burst, sent_at);
            self.send(packet)?;
        }
        Ok(())
    }

    fn send(&mut self, packet: Packet) -> anyhow::Result<()> {
        let media = self.rtc.media(self.mid).context("no camera")?;
        let payload_type = *media.remote_pts().first().context("no codec for the camera")?;
        let Packet { seq, timestamp, last, payload } = packet;
        let write = RtpWrite::new(payload_type, seq.into(), timestamp, Instant::now(), payload)
            .marker(last)
            .nackable(true);
        let mut api = self.rtc.direct_api();
        let stream = api.stream_tx_by_mid(self.mid, None).context("no stream for the camera")?;
        stream.write_rtp(write);
        self.wake()
    }

    /// Takes what has come, and does what time demands.
    pub(in crate::bench) fn turn(&mut self, now: Instant) -> anyhow::Result<()> {
        for _ in 0..BUDGET {
            if !self.receive()? {
                break;
            }
        }
        if self.due <= now { self.wake() } else { Ok(()) }
    }

    /// Takes one datagram, if there is one.
    fn receive(&mut self) -> anyhow::Result<bool> {
        let mut buffer = [0; MAX_DATAGRAM];
        let Some(length) = self.line.receive(&mut buffer)? else { return Ok(false) };
        let now = Instant::now();
        let bytes = buffer.get(..length).unwrap_or_default();
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
                Output::Event(Event::KeyframeRequest(_)) => self.camera.want_keyframe(),
                Output::Event(Event::RtpPacket(packet)) => {
                    self.tally.take(nanoseconds(now, self.epoch), &packet);
                }
                Output::Event(_) => {}
                Output::Timeout(at) => {
                    self.due = at;
                    return Ok(());
                }
                Output::Transmit(transmit) => self.line.send(&transmit.contents)?,
            }
        }
    }
}

/// How long ago an instant was, in nanoseconds.
pub(super) fn nanoseconds_since(epoch: Instant) -> u64 {
    nanoseconds(Instant::now(), epoch)
}

/// From one instant to another, in nanoseconds.
pub(super) fn nanoseconds(now: Instant, epoch: Instant) -> u64 {
    u64::try_from(now.saturating_duration_since(epoch).as_nanos()).unwrap_or(u64::MAX)
}
