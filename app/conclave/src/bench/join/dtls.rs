//! A bare media session: an offer taken, ICE, and DTLS until media could flow, on the answering
//! side alone.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use str0m::change::{SdpAnswer, SdpOffer};
use str0m::config::DtlsCert;
use str0m::media::{Direction, MediaKind, Simulcast, SimulcastLayer};
use str0m::net::{Protocol, Receive, Transmit};
use str0m::{Candidate, Event, Input, Output, Rtc};

use super::client::{AUDIO_SLOTS, VIDEO_SLOTS};
use crate::bench::clock::cpu;

/// Both ends. Nothing but memory is between them.
const SERVER: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 10_000);
const CLIENT: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 20_000);

/// More turns than any handshake takes.
const MOST_TURNS: usize = 1000;

/// A certificate of the kind that a media node makes, once for all its sessions.
pub(super) fn certificate() -> anyhow::Result<DtlsCert> {
    let provider = str0m::crypto::from_feature_flags().dtls_provider;
    provider.generate_certificate().context("no certificate can be made")
}

/// Lets a client connect. Gives the answering side's processor time.
///
/// Time is virtual: nobody waits for anything.
pub(super) fn handshake(certificate: &DtlsCert) -> anyhow::Result<Duration> {
    let mut now = Instant::now();
    let mut client = builder().build(now);
    client.add_local_candidate(Candidate::host(CLIENT, "udp")?);
    let (offer, pending) = offer(&mut client)?;

    let began = cpu();
    let mut server = builder()
        .set_rtp_mode(true)
        .set_ice_lite(true)
        .set_dtls_cert(certificate.clone())
        .build(now);
    server.add_local_candidate(Candidate::host(SERVER, "udp")?);
    let answer = server.sdp_api().accept_offer(SdpOffer::from_sdp_string(&offer)?)?;
    let answer = answer.to_sdp_string();
    let mut used = cpu().saturating_sub(began);

    client.sdp_api().accept_answer(pending, SdpAnswer::from_sdp_string(&answer)?)?;
    let mut answered = Turn::default();
    for _ in 0..MOST_TURNS {
        let asked = turn(&mut client, now, answered.sent, CLIENT)?;
        let is_quiet = asked.sent.is_empty();

        let began = cpu();
        answered = turn(&mut server, now, asked.sent, SERVER)?;
        used += cpu().saturating_sub(began);

        if answered.is_connected {
            return Ok(used);
        }
        if is_quiet && answered.sent.is_empty() {
            let due = [asked.due, answered.due].into_iter().flatten().min();
            now = due.context("nobody waits for anything")?.max(now);
        }
    }
    anyhow::bail!("two sessions in one process do not connect")
}

/// The codecs of both ends.
fn builder() -> str0m::RtcConfig {
    Rtc::builder().clear_codecs().enable_opus(true, false).enable_vp8(true)
}

/// An offer with the media sections that the clients of this measurement have.
fn offer(client: &mut Rtc) -> anyhow::Result<(String, str0m::change::SdpPendingOffer)> {
    let mut changes = client.sdp_api();
    let mut simulcast = Simulcast::new();
    for rid in ["q", "h", "f"] {
        simulcast.add_send_layer(SimulcastLayer::new(rid));
    }
    changes.add_media(MediaKind::Audio, Direction::SendOnly, None, None, None);
    changes.add_media(MediaKind::Video, Direction::SendOnly, None, None, Some(simulcast));
    for _ in 0..AUDIO_SLOTS {
        changes.add_media(MediaKind::Audio, Direction::RecvOnly, None, None, None);
    }
    for _ in 0..VIDEO_SLOTS {
        changes.add_media(MediaKind::Video, Direction::RecvOnly, None, None, None);
    }
    let (offer, pending) = changes.apply().context("nothing to offer")?;
    Ok((offer.to_sdp_string(), pending))
}

/// What came of an end's turn.
#[derive(Default)]
struct Turn {
    sent: Vec<Transmit>,
    is_connected: bool,
    due: Option<Instant>,
}

/// Gives an end what was sent to it, and takes out what it has to say.
fn turn(
    rtc: &mut Rtc,
    now: Instant,
    heard: Vec<Transmit>,
    local: SocketAddr,
) -> anyhow::Result<Turn> {
    let mut turn = Turn::default();
    for datagram in heard {
        let receive = Receive::new(Protocol::Udp, datagram.source, local, &datagram.contents)?;
        rtc.handle_input(Input::Receive(now, receive))?;
        turn.drain(rtc)?;
    }
    rtc.handle_input(Input::Timeout(now))?;
    turn.drain(rtc)?;
    Ok(turn)
}

impl Turn {
    fn drain(&mut self, rtc: &mut Rtc) -> anyhow::Result<()> {
        loop {
            match rtc.poll_output()? {
                Output::Event(event) => self.is_connected |= matches!(event, Event::Connected),
                Output::Timeout(at) => {
                    self.due = Some(at);
                    return Ok(());
                }
                Output::Transmit(transmit) => self.sent.push(transmit),
            }
        }
    }
}
