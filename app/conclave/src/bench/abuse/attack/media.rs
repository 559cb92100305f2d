//! What somebody sends who may send media, in a call of their own.

use anyhow::Context as _;

use crate::bench::abuse::client::Client;
use crate::bench::abuse::flood::{Noise, Weapon};
use crate::bench::abuse::tap::RTP_HEADER;

/// Nothing longer gets into the server's buffers, in bytes: with the seal.
const LONGEST: usize = 2048;

/// What the seal adds, in bytes.
const SEAL: usize = 16;

/// The body of a packet with extensions, in bytes.
const BODY: usize = 24;

/// A profile of one-byte extensions, and one of two-byte ones (RFC 8285 section 4).
const ONE_BYTE: [u8; 2] = [0xbe, 0xde];
const TWO_BYTE: [u8; 2] = [0x10, 0x00];

/// What the client has sent, again.
pub(super) fn replayed(own: &Client) -> anyhow::Result<Weapon> {
    let (socket, packets) = (own.socket()?, own.seen.media());
    anyhow::ensure!(!packets.is_empty(), "the attacker has sent no media");
    Ok(Box::new(move |number| {
        if let Some(packet) = packets.get(number as usize % packets.len()) {
            // What does not leave does no harm; the report says how much did.
            let _ = socket.send(packet);
        }
    }))
}

/// What the client has sent, cut off somewhere.
pub(super) fn truncated(own: &Client) -> anyhow::Result<Weapon> {
    let (socket, packets, mut noise) = (own.socket()?, own.seen.media(), Noise::new());
    anyhow::ensure!(!packets.is_empty(), "the attacker has sent no media");
    Ok(Box::new(move |number| {
        let Some(packet) = packets.get(number as usize % packets.len()) else { return };
        let length = noise.draw() as usize % packet.len();
        let _ = socket.send(packet.get(..length).unwrap_or_default());
    }))
}

/// New packets of the client's stream, rightly sealed, that are little but header extensions: in
/// turns random bytes, as many short elements as there is room for, and the same ones over and over.
pub(super) fn large_extensions(own: &Client) -> anyhow::Result<Weapon> {
    let socket = own.socket()?;
    let sealer = own.tap.rtp().context("the attacker has sealed no media")?;
    let sent = own.seen.media().pop().context("the attacker has sent no media")?;
    let head: [u8; RTP_HEADER] = *sent.first_chunk().context("a short packet")?;
    let mut noise = Noise::new();
    let words = (LONGEST - SEAL - BODY - RTP_HEADER - 4) / 4;
    Ok(Box::new(move |number| {
        let extensions = match number % 3 {
            0 if number.is_multiple_of(2) => ONE_BYTE,
            0 | 1 => TWO_BYTE,
            _ => ONE_BYTE,
        };
        let mut packet = head.to_vec();
        // The far half of the numbers, where the client itself is not.
        let [.., n0, n1] = number.to_be_bytes();
        packet.splice(..4, [0x90, head[1] & 0x7f, n0 | 0x80, n1]);
        packet.extend(extensions);
        packet.extend(u16::try_from(words).unwrap_or_default().to_be_bytes());
        let header = packet.len() + words * 4;
        match number % 3 {
            0 => {
                packet.resize(header, 0);
                noise.fill(packet.get_mut(RTP_HEADER + 4..).unwrap_or_default());
            }
            1 => packet.extend((0..words * 2).flat_map(|at| [1 + (at % 255) as u8, 0])),
            _ => packet.extend((0..words * 2).flat_map(|at| [((1 + at % 14) as u8) << 4, 7])),
        }
        packet.extend([0x90, 0xe0, 0x80, 1, 1, 0, 1]);
        packet.resize(header + BODY, 0xaa);
        sealer.seal_rtp(&mut packet, header);
        let _ = socket.send(&packet);
    }))
}
