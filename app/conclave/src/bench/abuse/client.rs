//! One client, honest but for what it lets others know: ICE, DTLS and SRTP with everything that a
//! browser's have, and a socket.

use std::io::ErrorKind;
use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use str0m::change::{SdpAnswer, SdpPendingOffer};
use str0m::media::{Direction, MediaKind, Mid};
use str0m::net::{Protocol, Receive};
use str0m::rtp::RtpWrite;
use str0m::{Candidate, Event, Input, Output, Rtc};

use super::inbox::{Inbox, Port, unix_ns};
use super::seen::Seen;
use super::tally::Tally;
use super::tap::Tap;
use crate::bench::media::camera::{Camera, Packet};

/// A client that publishes one camera or shows one.
pub(super) struct Client {
    rtc: Rtc,
    port: Port,
    local: SocketAddr,
    server: SocketAddr,
    mid: Mid,
    pending: Option<SdpPendingOffer>,
    /// When the session wants to be woken.
    due: Instant,
    /// Whether it reads its socket.
    pub(super) listens: bool,
    /// What it publishes, if it does.
    pub(super) camera: Camera,
    /// What it got, if it shows something.
    pub(super) tally: Tally,
    /// What it sent and saw, of which others can make bad use.
    pub(super) seen: Seen,
    /// The keys that it seals with.
    pub(super) tap: Tap,
}

impl Client {
    /// A client at a port of its own, with its offer to the server at this address.
    pub(super) fn new(server: SocketAddr, direction: Direction) -> anyhow::Result<(Self, String)> {
        let port = Port::to(server)?;
        let local = port.socket.local_addr()?;
        let (now, tap) = (Instant::now(), Tap::default());
        let mut rtc = Rtc::builder()
            .set_crypto_provider(Arc::new(tap.provider()))
            .clear_codecs()
            .enable_vp8(true)
            .set_rtp_mode(true)
            .build(now);
        rtc.add_local_candidate(Candidate::host(local, "udp")?);
        let mut api = rtc.sdp_api();
        let mid = api.add_media(MediaKind::Video, direction, None, None, None);
        let (offer, pending) = api.apply().context("nothing to offer")?;

        let client = Self {
            rtc,
            port,
            local,
            server,
            mid,
            pending: Some(pending),
            due: now,
            listens: true,
            camera: Camera::default(),
            tally: Tally::default(),
            seen: Seen::default(),
            tap,
        };
        Ok((client, offer.to_sdp_string()))
    }

    /// The media section of what it publishes or shows.
    pub(super) const fn mid(&self) -> Mid {
        self.mid
    }

    /// Its socket, for somebody who sends in its name.
    pub(super) fn socket(&self) -> anyhow::Result<UdpSocket> {
        self.port.socket.try_clone().context("no second handle of a socket")
    }

    /// Takes the answer to its offer.
    pub(super) fn accept(&mut self, answer: &str) -> anyhow::Result<()> {
        let answer = SdpAnswer::from_sdp_string(answer)?;
        let pending = self.pending.take().context("an answer to no offer")?;
        self.rtc.sdp_api().accept_answer(pending, answer)?;
        self.wake()
    }

    /// Publishes a frame of so many packets.
    pub(super) fn send_frame(&mut self, burst: u32, fps: u32) -> anyhow::Result<()> {
        self.camera.begin_frame(fps);
        for part in 0..burst {
            let packet = self.camera.packet(part == 0, part + 1 == burst, unix_ns());
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
    pub(super) fn turn(&mut self, inbox: &mut Inbox) -> anyhow::Result<()> {
        if self.listens {
            while self.receive(inbox)? > 0 {}
        }
        if self.due <= Instant::now() { self.wake() } else { Ok(()) }
    }

    /// Takes a batch of datagrams.
    fn receive(&mut self, inbox: &mut Inbox) -> anyhow::Result<usize> {
        let Self { rtc, port, local, server, tally, seen, camera, due, .. } = self;
        let (now, now_ns) = (Instant::now(), unix_ns());
        inbox.receive(port, |came, bytes| {
            let receive = Receive::new(Protocol::Udp, *server, *local, bytes)?;
            let waited = Duration::from_nanos(now_ns.saturating_sub(came));
            rtc.direct_api().set_arrival(now.checked_sub(waited).unwrap_or(now));
            seen.received(bytes);
            rtc.handle_input(Input::Receive(now, receive))?;
            let mut outgoing = Outgoing { port, seen, camera, tally };
            *due = drain(rtc, came, &mut outgoing)?;
            Ok(())
        })
    }

    fn wake(&mut self) -> anyhow::Result<()> {
        let Self { rtc, port, tally, seen, camera, due, .. } = self;
        rtc.handle_input(Input::Timeout(Instant::now()))?;
        let mut outgoing = Outgoing { port, seen, camera, tally };
        *due = drain(rtc, unix_ns(), &mut outgoing)?;
        Ok(())
    }
}

/// Where what a session says goes.
struct Outgoing<'a> {
    port: &'a Port,
    seen: &'a mut Seen,
    camera: &'a mut Camera,
    tally: &'a mut Tally,
}

/// Takes out everything that a session has to say, and returns when it wants to be woken. What it
/// has just received came at an instant in nanoseconds since 1970.
fn drain(rtc: &mut Rtc, came: u64, outgoing: &mut Outgoing<'_>) -> anyhow::Result<Instant> {
    loop {
        match rtc.poll_output()? {
            Output::Event(Event::KeyframeRequest(_)) => outgoing.camera.want_keyframe(),
            Output::Event(Event::RtpPacket(packet)) => outgoing.tally.take(came, &packet),
            Output::Event(_) => {}
            Output::Timeout(at) => return Ok(at),
            Output::Transmit(transmit) => {
                outgoing.seen.sent(&transmit.contents);
                match outgoing.port.socket.send(&transmit.contents) {
                    // A full buffer is a loss like any other.
                    Err(error) if error.kind() != ErrorKind::WouldBlock => {
                        return Err(error).context("cannot send");
                    }
                    Ok(_) | Err(_) => {}
                }
            }
        }
    }
}
