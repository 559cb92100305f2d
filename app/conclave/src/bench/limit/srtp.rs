//! SRTP as far as it is work for each packet: RTP's fixed header, and `AEAD_AES_256_GCM` (RFC 7714).

use anyhow::Context as _;
use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};

/// The size of each datagram in bytes, with the tag: what fits through nearly every path.
pub(super) const DATAGRAM: usize = 1200;

/// RTP's fixed header, in bytes.
const HEADER: usize = 12;

/// What sealing adds, in bytes.
const TAG: usize = 16;

/// A frame's share of the 90,000 ticks that video's clock makes in a second, at 60 frames.
const TICKS_A_FRAME: u32 = 1500;

/// A camera whose frames are all of so many packets.
#[derive(Debug)]
pub(super) struct Camera {
    packets: Vec<[u8; DATAGRAM]>,
    sequence: u16,
    timestamp: u32,
}

/// One receiver's stream, or the publisher's: how its packets are numbered, and what seals them.
#[derive(Debug)]
pub(super) struct Stream {
    key: LessSafeKey,
    salt: [u8; NONCE_LEN],
    ssrc: u32,
    /// What is added to the camera's numbers.
    sequence_shift: u16,
    timestamp_shift: u32,
    last_sequence: u16,
    /// How often the sequence number began again at zero.
    rollovers: u32,
}

/// What of RTP's header a forwarder rewrites, and what it leaves.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Header {
    /// Version, padding, extension, contributors; marker and payload type.
    first: [u8; 2],
    sequence: u16,
    timestamp: u32,
    ssrc: u32,
}

impl Camera {
    /// A camera whose frames are of `burst` packets.
    pub(super) fn new(burst: usize) -> Self {
        Self { packets: vec![[0x5a; DATAGRAM]; burst], sequence: 0, timestamp: 0 }
    }

    /// The next frame's packets, with room for a tag and not yet sealed.
    pub(super) fn next_frame(&mut self) -> &[[u8; DATAGRAM]] {
        self.timestamp = self.timestamp.wrapping_add(TICKS_A_FRAME);
        for packet in &mut self.packets {
            self.sequence = self.sequence.wrapping_add(1);
            let (sequence, timestamp) = (self.sequence, self.timestamp);
            let header = Header { first: [0x80, 96], sequence, timestamp, ssrc: 0 };
            if let Some(bytes) = packet.first_chunk_mut() {
                *bytes = header.bytes();
            }
        }
        &self.packets
    }
}

impl Stream {
    /// A stream of its own key and numbering. Both follow from `number`, for there is nothing to
    /// hide.
    pub(super) fn new(number: u32) -> anyhow::Result<Self> {
        let [a, b, c, d] = number.to_be_bytes();
        let key = [a, b, c, d].repeat(AES_256_GCM.key_len() / size_of_val(&number));
        let key = UnboundKey::new(&AES_256_GCM, &key).context("no key for AES-256-GCM")?;
        Ok(Self {
            key: LessSafeKey::new(key),
            salt: [a, b, c, d, d, c, b, a, a, b, c, d],
            ssrc: number.wrapping_mul(0x9e37_79b1),
            sequence_shift: u16::from_be_bytes([d, c]),
            timestamp_shift: u32::from_be_bytes([d, c, b, a]),
            last_sequence: 0,
            rollovers: 0,
        })
    }

    /// Copies an opened packet, makes it this stream's, and seals it: a forwarder's work for one
    /// receiver.
    pub(super) fn forward(
        &mut self,
        opened: &[u8; DATAGRAM],
        sealed: &mut [u8; DATAGRAM],
    ) -> anyhow::Result<()> {
        *sealed = *opened;
        let (bytes, payload) = split(sealed)?;
        let header = self.rewritten(Header::of(*bytes));
        *bytes = header.bytes();

        let nonce = self.nonce(header);
        let (payload, place) =
            payload.split_last_chunk_mut::<TAG>().context("no room for a tag")?;
        let tag = self.key.seal_in_place_separate_tag(nonce, Aad::from(*bytes), payload)?;
        place.copy_from_slice(tag.as_ref());
        Ok(())
    }

    /// Opens a packet of this stream where it is.
    pub(super) fn open(&mut self, packet: &mut [u8]) -> anyhow::Result<()> {
        let (bytes, payload) = split(packet)?;
        let nonce = self.nonce(Header::of(*bytes));
        self.key.open_in_place(nonce, Aad::from(*bytes), payload)?;
        Ok(())
    }

    /// The header as this stream has it.
    const fn rewritten(&self, header: Header) -> Header {
        Header {
            first: header.first,
            sequence: header.sequence.wrapping_add(self.sequence_shift),
            timestamp: header.timestamp.wrapping_add(self.timestamp_shift),
            ssrc: self.ssrc,
        }
    }

    /// RFC 7714, section 8.1. Packets come in order: this counts how often the numbers rolled over.
    fn nonce(&mut self, header: Header) -> Nonce {
        if self.last_sequence.saturating_sub(header.sequence) > u16::MAX / 2 {
            self.rollovers = self.rollovers.wrapping_add(1);
        }
        self.last_sequence = header.sequence;

        let [s0, s1, s2, s3] = header.ssrc.to_be_bytes();
        let [r0, r1, r2, r3] = self.rollovers.to_be_bytes();
        let [n0, n1] = header.sequence.to_be_bytes();
        let mut nonce = [0, 0, s0, s1, s2, s3, r0, r1, r2, r3, n0, n1];
        nonce.iter_mut().zip(self.salt).for_each(|(byte, salt)| *byte ^= salt);
        Nonce::assume_unique_for_key(nonce)
    }
}

impl Header {
    const fn of([a, b, n0, n1, t0, t1, t2, t3, s0, s1, s2, s3]: [u8; HEADER]) -> Self {
        Self {
            first: [a, b],
            sequence: u16::from_be_bytes([n0, n1]),
            timestamp: u32::from_be_bytes([t0, t1, t2, t3]),
            ssrc: u32::from_be_bytes([s0, s1, s2, s3]),
        }
    }

    const fn bytes(self) -> [u8; HEADER] {
        let [a, b] = self.first;
        let [n0, n1] = self.sequence.to_be_bytes();
        let [t0, t1, t2, t3] = self.timestamp.to_be_bytes();
        let [s0, s1, s2, s3] = self.ssrc.to_be_bytes();
        [a, b, n0, n1, t0, t1, t2, t3, s0, s1, s2, s3]
    }
}

/// A packet's header, and what follows it.
fn split(packet: &mut [u8]) -> anyhow::Result<(&mut [u8; HEADER], &mut [u8])> {
    packet.split_first_chunk_mut().context("a datagram is too short for RTP")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(packet: &[u8; DATAGRAM]) -> Header {
        Header::of(*packet.first_chunk().unwrap())
    }

    #[test]
    fn a_forwarded_packet_is_of_its_own_stream_and_opens_with_its_key_alone() {
        let mut camera = Camera::new(2);
        let opened = camera.next_frame()[1];
        let mut sealed = [0; DATAGRAM];

        Stream::new(7).unwrap().forward(&opened, &mut sealed).unwrap();

        let stream = Stream::new(7).unwrap();
        let expected = Header {
            first: [0x80, 96],
            sequence: 2 + stream.sequence_shift,
            timestamp: TICKS_A_FRAME + stream.timestamp_shift,
            ssrc: stream.ssrc,
        };
        assert_eq!(header(&sealed), expected);
        assert_ne!(sealed[HEADER..DATAGRAM - TAG], opened[HEADER..DATAGRAM - TAG]);
        Stream::new(8).unwrap().open(&mut sealed.clone()).unwrap_err();
        Stream::new(7).unwrap().open(&mut sealed).unwrap();
        assert_eq!(sealed[HEADER..DATAGRAM - TAG], opened[HEADER..DATAGRAM - TAG]);
    }

    #[test]
    fn packets_open_after_the_sequence_numbers_have_begun_again() {
        let mut camera = Camera::new(1);
        let [mut sender, mut receiver] = [7, 7].map(|number| Stream::new(number).unwrap());
        let mut sealed = [0; DATAGRAM];
        for _ in 0..2 * usize::from(u16::MAX) {
            sender.forward(&camera.next_frame()[0], &mut sealed).unwrap();
            receiver.open(&mut sealed).unwrap();
        }
        assert_eq!((sender.rollovers, receiver.rollovers), (2, 2));
    }
}
