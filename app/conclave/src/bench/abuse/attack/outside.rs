//! What comes from people who are in no call, or claim to be somebody else.

use std::net::SocketAddr;

use anyhow::Context as _;
use str0m::crypto::from_feature_flags;
use str0m::ice::{StunMessage, TransId};

use super::Surroundings;
use crate::bench::abuse::flood::{Noise, Sources, Weapon};

/// Random bytes of any length that a datagram of ours may have.
pub(super) fn garbage(server: SocketAddr) -> anyhow::Result<Weapon> {
    let (sources, mut noise) = (Sources::open()?, Noise::new());
    let mut bytes = [0; 1200];
    Ok(Box::new(move |number| {
        let length = 1 + noise.draw() as usize % bytes.len();
        let Some(datagram) = bytes.get_mut(..length) else { return };
        noise.fill(datagram);
        sources.send(number, server, datagram);
    }))
}

/// Well-formed checks for a session of this name.
pub(super) fn checks(around: &Surroundings<'_>, session: &str) -> anyhow::Result<Weapon> {
    let (server, sources) = (around.server, Sources::open()?);
    let hmac = from_feature_flags().sha1_hmac_provider;
    let username = format!("{session}:mallory");
    let mut prepared = Vec::new();
    for _ in 0..64 {
        let check =
            StunMessage::binding_request(&username, TransId::new(), true, 7, 0x6e00_1eff, true);
        let mut bytes = vec![0; 512];
        let length = check.to_bytes(Some(b"not the password"), &mut bytes, |key, parts| {
            hmac.sha1_hmac(key, parts)
        })?;
        bytes.truncate(length);
        prepared.push(bytes);
    }
    Ok(Box::new(move |number| {
        if let Some(bytes) = prepared.get(number as usize % prepared.len()) {
            sources.send(number, server, bytes);
        }
    }))
}

/// The same for the bystander's session.
pub(super) fn forged_checks(around: &Surroundings<'_>) -> anyhow::Result<Weapon> {
    let check = StunMessage::parse(around.bystander.seen.check())?;
    let (session, _) = check.split_username().context("the bystander made no check")?;
    checks(around, session)
}

/// The bystander's own first words of a DTLS handshake.
pub(super) fn hellos(around: &Surroundings<'_>) -> anyhow::Result<Weapon> {
    let (server, sources, mut hello) = (around.server, Sources::open()?, Hello::of(around)?);
    Ok(Box::new(move |number| sources.send(number, server, hello.next())))
}

/// The same from the bystander's own address.
pub(super) fn hellos_in_their_name(around: &Surroundings<'_>) -> anyhow::Result<Weapon> {
    let (socket, mut hello) = (around.bystander.socket()?, Hello::of(around)?);
    Ok(Box::new(move |_| {
        // What does not leave does no harm; the report says how much did.
        let _ = socket.send(hello.next());
    }))
}

/// Packets with the SSRC of the bystander's camera and a body that no key has sealed.
pub(super) fn forged_media(around: &Surroundings<'_>) -> anyhow::Result<Weapon> {
    let (server, sources, mut noise) = (around.server, Sources::open()?, Noise::new());
    let mut packet = around.publisher.seen.media().pop().context("the publisher sent nothing")?;
    Ok(Box::new(move |number| {
        let [.., n0, n1] = number.to_be_bytes();
        if let Some(sequence) = packet.get_mut(2..4) {
            sequence.copy_from_slice(&[n0, n1]);
        }
        if let Some(body) = packet.get_mut(40..) {
            noise.fill(body);
        }
        sources.send(number, server, &packet);
    }))
}

/// A ClientHello, each time with other random bytes in it.
struct Hello {
    bytes: Vec<u8>,
    noise: Noise,
}

/// Where a ClientHello of DTLS 1.2 has its random bytes: behind the headers of record and handshake,
/// and the version (RFC 6347 section 4.3.2).
const RANDOM: std::ops::Range<usize> = 27..59;

impl Hello {
    fn of(around: &Surroundings<'_>) -> anyhow::Result<Self> {
        let bytes = around.bystander.seen.hello().to_vec();
        anyhow::ensure!(bytes.len() > RANDOM.end, "the bystander said no hello");
        Ok(Self { bytes, noise: Noise::new() })
    }

    fn next(&mut self) -> &[u8] {
        if let Some(random) = self.bytes.get_mut(RANDOM) {
            self.noise.fill(random);
        }
        &self.bytes
    }
}
