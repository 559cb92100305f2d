//! What somebody reports who receives media: RTCP that is rightly sealed, and not true.

use std::net::UdpSocket;

use anyhow::Context as _;

use crate::bench::abuse::client::Client;
use crate::bench::abuse::flood::{Noise, Weapon};
use crate::bench::abuse::seen::Newest;
use crate::bench::abuse::tap::Sealer;

/// Feedback about transport and about payload (RFC 4585 section 6.1).
const TRANSPORT: u8 = 205;
const PAYLOAD: u8 = 206;

/// The kinds of feedback: generic NACK, PLI (RFC 4585), FIR (RFC 5104), and reports of arrivals
/// (draft-holmer-rmcat-transport-wide-cc-extensions-01).
const NACK: u8 = 1;
const PLI: u8 = 1;
const FIR: u8 = 4;
const ARRIVALS: u8 = 15;

/// What the liar calls itself.
const OWN_SSRC: [u8; 4] = [0, 0, 0, 1];

/// Entries of a NACK, each of which names 17 packets: all that a server may remember.
const ENTRIES: u16 = 31;

/// Packets of which one report tells.
const REPORTED: u16 = 1000;

/// PLIs and FIRs in one datagram: as many as fit.
const REQUESTS: usize = 40;

/// Who seals, where it goes, and what it is about.
struct Liar {
    socket: UdpSocket,
    sealer: Sealer,
    newest: Newest,
}

impl Liar {
    fn of(own: &Client) -> anyhow::Result<Self> {
        let sealer = own.tap.rtcp().context("the attacker has reported nothing yet")?;
        Ok(Self { socket: own.socket()?, sealer, newest: own.seen.newest() })
    }

    fn say(&mut self, mut compound: Vec<u8>) {
        self.sealer.seal_rtcp(&mut compound);
        // What does not leave does no harm; the report says how much did.
        let _ = self.socket.send(&compound);
    }
}

/// Everything of late is said to be missing.
pub(super) fn loss(own: &Client) -> anyhow::Result<Weapon> {
    let mut liar = Liar::of(own)?;
    Ok(Box::new(move |_| {
        let (ssrc, newest) = liar.newest.read();
        let entry = |at: u16| {
            let [n0, n1] = newest.wrapping_sub(at * 17).to_be_bytes();
            [n0, n1, 0xff, 0xff]
        };
        let entries: Vec<u8> = (1..=ENTRIES).flat_map(entry).collect();
        liar.say(feedback(TRANSPORT, NACK, ssrc, &entries));
    }))
}

/// Arrivals of packets, whether they were sent or not, at times that make no sense.
pub(super) fn reports(own: &Client) -> anyhow::Result<Weapon> {
    let (mut liar, mut noise) = (Liar::of(own)?, Noise::new());
    Ok(Box::new(move |number| {
        let (ssrc, _) = liar.newest.read();
        let [.., base0, base1] = (number * 100).to_be_bytes();
        let [.., time0, time1, time2] = noise.draw().to_be_bytes();
        let [count0, count1] = REPORTED.to_be_bytes();
        let head = [base0, base1, count0, count1, time0, time1, time2, number as u8];
        // One run of packets that came a little after each other.
        let run = (0x2000 | REPORTED).to_be_bytes();
        let mut deltas = [0; REPORTED as usize];
        noise.fill(&mut deltas);
        liar.say(feedback(TRANSPORT, ARRIVALS, ssrc, &[&head, &run[..], &deltas].concat()));
    }))
}

/// Key frames are asked for, many times in each datagram.
pub(super) fn keyframes(own: &Client) -> anyhow::Result<Weapon> {
    let mut liar = Liar::of(own)?;
    Ok(Box::new(move |number| {
        let (ssrc, _) = liar.newest.read();
        let mut compound = Vec::new();
        for at in 0..REQUESTS {
            compound.extend(feedback(PAYLOAD, PLI, ssrc, &[]));
            let entry = [ssrc, [(number as usize + at) as u8, 0, 0, 0]].concat();
            compound.extend(feedback(PAYLOAD, FIR, [0; 4], &entry));
        }
        liar.say(compound);
    }))
}

/// A packet of feedback about a stream (RFC 4585 section 6.1).
fn feedback(kind: u8, format: u8, about: [u8; 4], details: &[u8]) -> Vec<u8> {
    let words = 2 + details.len().div_ceil(4);
    let [len0, len1] = u16::try_from(words).unwrap_or(u16::MAX).to_be_bytes();
    let mut packet = vec![0x80 | format, kind, len0, len1];
    packet.extend(OWN_SSRC);
    packet.extend(about);
    packet.extend(details);
    packet.resize((1 + words) * 4, 0);
    packet
}
