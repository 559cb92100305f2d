//! What one listener got, as the headers of its packets tell.

/// What is read of a packet: RTP's header is not encrypted.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Header {
    pub(super) payload_type: u8,
    sequence: u16,
    ssrc: u32,
}

impl Header {
    /// Reads a datagram, if it is RTP: neither RTCP nor what DTLS and ICE send (RFC 7983, section
    /// 7, and RFC 5761, section 4).
    pub(super) fn of(datagram: &[u8]) -> Option<Self> {
        let [first, second, n0, n1, _, _, _, _, s0, s1, s2, s3] = *datagram.first_chunk()?;
        let payload_type = second & 0x7f;
        let is_rtp = first >> 6 == 2 && !(64..96).contains(&payload_type);
        let (sequence, ssrc) = (u16::from_be_bytes([n0, n1]), u32::from_be_bytes([s0, s1, s2, s3]));
        is_rtp.then_some(Self { payload_type, sequence, ssrc })
    }
}

/// What a listener got within a window of time. Times are in nanoseconds since an instant that all
/// share.
#[derive(Debug, Default)]
pub(super) struct Tally {
    /// Packets of the window.
    pub(super) received: u64,
    /// The longest time without a packet, at the window's ends, too.
    pub(super) longest_gap: u64,
    last_at: u64,
    streams: Vec<Stream>,
}

/// One stream, by its SSRC. Counts are extended beyond 16 bits.
#[derive(Debug)]
struct Stream {
    ssrc: u32,
    first: u64,
    highest: u64,
    received: u64,
}

impl Tally {
    /// Begins a window: what came before does not count.
    pub(super) fn open(&mut self, at: u64) {
        *self = Self { last_at: at, ..Self::default() };
    }

    /// Ends the window.
    pub(super) fn close(&mut self, at: u64) {
        self.longest_gap = self.longest_gap.max(at.saturating_sub(self.last_at));
    }

    /// Takes note of a packet.
    pub(super) fn take(&mut self, at: u64, header: Header) {
        self.received += 1;
        self.longest_gap = self.longest_gap.max(at.saturating_sub(self.last_at));
        self.last_at = at;
        let stream = self.streams.iter_mut().find(|stream| stream.ssrc == header.ssrc);
        match stream {
            Some(stream) => stream.take(header.sequence),
            None => self.streams.push(Stream::begin(header)),
        }
    }

    /// Packets that are missing among the sequence numbers.
    pub(super) fn lost(&self) -> u64 {
        self.streams.iter().map(Stream::lost).sum()
    }
}

impl Stream {
    /// What came a little before the first packet is not to count below zero.
    const BEGINNING: u64 = 1 << 16;

    fn begin(header: Header) -> Self {
        let first = Self::BEGINNING + u64::from(header.sequence);
        Self { ssrc: header.ssrc, first, highest: first, received: 1 }
    }

    fn take(&mut self, sequence: u16) {
        let ahead = sequence.wrapping_sub(self.highest as u16).cast_signed();
        let number = self.highest.saturating_add_signed(ahead.into());
        self.first = self.first.min(number);
        self.highest = self.highest.max(number);
        self.received += 1;
    }

    const fn lost(&self) -> u64 {
        (self.highest - self.first + 1).saturating_sub(self.received)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(ssrc: u8, sequence: u16) -> Header {
        let [n0, n1] = sequence.to_be_bytes();
        Header::of(&[0x80, 0x80 | 96, n0, n1, 0, 0, 0, 0, 0, 0, 0, ssrc]).unwrap()
    }

    #[test]
    fn what_is_no_rtp_is_not_taken_for_it() {
        let datagram = |first, second| [first, second, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        assert_eq!(Header::of(&datagram(0x80, 96)).unwrap().payload_type, 96);
        for (what, bytes) in [
            ("STUN", datagram(0, 1)),
            ("DTLS", datagram(23, 254)),
            ("a sender report", datagram(0x80, 200)),
            ("feedback", datagram(0x8f, 205)),
        ] {
            assert_eq!(Header::of(&bytes), None, "{what}");
        }
        assert_eq!(Header::of(&datagram(0x80, 96)[..11]), None, "too short");
    }

    #[test]
    fn what_is_missing_shows_in_the_sequence_numbers_of_each_stream() {
        let mut tally = Tally::default();
        tally.open(0);
        for (ssrc, sequence) in [(1, 65_534), (2, 7), (1, 65_535), (1, 2), (1, 1), (2, 10)] {
            tally.take(1, packet(ssrc, sequence));
        }
        assert_eq!((tally.received, tally.lost()), (6, 1 + 2));
    }

    #[test]
    fn the_longest_pause_is_seen_wherever_it_is() {
        let longest = |times: &[u64]| {
            let mut tally = Tally::default();
            tally.open(100);
            for (sequence, at) in (0..).zip(times) {
                tally.take(*at, packet(1, sequence));
            }
            tally.close(200);
            tally.longest_gap
        };
        assert_eq!(longest(&[]), 100);
        assert_eq!(longest(&[150, 190]), 50);
        assert_eq!(longest(&[101, 171, 190]), 70);
        assert_eq!(longest(&[101, 110]), 90);
    }
}
