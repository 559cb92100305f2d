/// The most bytes of one packet: what a client may send at once. No packet of media is longer.
pub(crate) const MAX_PACKET: usize = 2048;

/// Length of a STUN header (RFC 8489 section 5).
const STUN_HEADER: usize = 20;

/// Length of a channel's header (RFC 8656 section 12.4).
const CHANNEL_HEADER: usize = 4;

/// Cuts a stream into STUN messages and channel data (RFC 8656 section 2.1): both say how long
/// they are.
///
/// It keeps at most one incomplete packet, so a sender cannot make it grow.
#[derive(Debug, Default)]
pub struct Framer {
    partial: Vec<u8>,
}

impl Framer {
    /// Creates one at the beginning of a stream.
    pub const fn new() -> Self {
        Self { partial: Vec::new() }
    }

    /// Takes what was read and returns each packet that is complete, without its padding.
    ///
    /// # Errors
    ///
    /// [`FrameError`] if what comes is no TURN; the stream is of no use from there on.
    pub fn feed(&mut self, bytes: &[u8]) -> Result<Vec<Vec<u8>>, FrameError> {
        self.partial.extend_from_slice(bytes);
        let mut packets = Vec::new();
        let mut rest = self.partial.as_slice();
        while let Some(Extent { whole, padded }) = extent(rest)? {
            let (Some(packet), Some(behind)) = (rest.get(..whole), rest.get(padded..)) else {
                break;
            };
            packets.push(packet.to_vec());
            rest = behind;
        }
        let done = self.partial.len() - rest.len();
        self.partial.drain(..done);
        Ok(packets)
    }
}

/// How far a packet reaches, and with it the padding behind.
struct Extent {
    whole: usize,
    padded: usize,
}

/// Of the packet at the head of `bytes`; `None` if too little of it is there.
fn extent(bytes: &[u8]) -> Result<Option<Extent>, FrameError> {
    let Some(&[kind, _, high, low]) = bytes.first_chunk::<4>() else { return Ok(None) };
    let said = usize::from(u16::from_be_bytes([high, low]));
    let extent = match kind {
        0x00..=0x3f => {
            if said % 4 != 0 {
                return Err(FrameError);
            }
            Extent { whole: STUN_HEADER + said, padded: STUN_HEADER + said }
        }
        0x40..=0x4f => {
            let whole = CHANNEL_HEADER + said;
            Extent { whole, padded: whole.next_multiple_of(4) }
        }
        0x50..=0xff => return Err(FrameError),
    };
    if extent.whole > MAX_PACKET { Err(FrameError) } else { Ok(Some(extent)) }
}

/// A packet that is longer than any of ours, or of no kind that there is.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("this is neither STUN nor a channel's data")]
pub struct FrameError;

#[cfg(test)]
mod tests {
    use super::*;

    /// A STUN header with four bytes behind, and a channel's three bytes with their padding.
    fn stream() -> (Vec<u8>, Vec<Vec<u8>>) {
        let mut message = vec![0, 1, 0, 4];
        message.extend([7; 20]);
        let channel = vec![0x40, 1, 0, 3, 1, 2, 3];
        let stream = [&message[..], &channel, &[0], &message].concat();
        (stream, vec![message.clone(), channel, message])
    }

    #[test]
    fn packets_come_out_however_the_stream_is_cut() {
        let (stream, expected) = stream();
        for first in 0..=stream.len() {
            for second in first..=stream.len() {
                let mut framer = Framer::new();
                let mut packets = Vec::new();
                for part in [&stream[..first], &stream[first..second], &stream[second..]] {
                    packets.extend(framer.feed(part).unwrap());
                }
                assert_eq!(packets, expected, "cut at {first} and {second}");
                assert!(framer.partial.is_empty());
            }
        }
    }

    #[test]
    fn what_is_no_turn_ends_the_stream_before_much_of_it_is_kept() {
        // The letters of HTTP are in the channels' range, and say a length that is too large.
        let cases = [&[0x50, 3, 1, 2][..], &[0, 1, 0, 3], &[0, 1, 0xff, 0xfc], b"GET / HTTP/1.1"];
        for bytes in cases {
            assert_eq!(Framer::new().feed(bytes), Err(FrameError), "{bytes:?}");
        }
    }

    #[test]
    fn an_incomplete_packet_is_all_that_is_kept() {
        let (stream, _) = stream();
        let mut framer = Framer::new();
        for _ in 0..1000 {
            framer.feed(&stream).unwrap();
            assert!(framer.partial.len() <= MAX_PACKET);
        }
    }
}
