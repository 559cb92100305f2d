//! Datagrams to one destination, gathered so that one system call sends them (GSO).

use std::collections::VecDeque;
use std::net::SocketAddr;

use crate::{Transmit, Transport};

/// After so many slots, or so many bytes, what was written is sent: it is in the processor's cache, and
/// nobody waits noticeably for the others.
const PLENTY: usize = 8;
const PLENTY_OF_BYTES: usize = 24 * 1024;

/// Buffers kept to be filled again. Where several publications arrive together, a shard has about as many
/// bursts at a time as a call has members.
const MAX_SPARE: usize = 512;

/// What is to be sent, and buffers for more of it.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    ready: VecDeque<Transmit>,
    /// How many bytes are ready.
    bytes: usize,
    /// How many slots were filled since all was sent.
    filled: usize,
    /// There was plenty, and it is being sent.
    is_sending: bool,
    spare: Vec<Vec<u8>>,
    /// Room for the lengths of what is written next.
    pub(crate) lens: Vec<usize>,
}

impl Outbox {
    pub(crate) fn push(&mut self, transmit: Transmit) {
        self.bytes += transmit.bytes.len();
        self.ready.push_back(transmit);
    }

    /// What to send next. While slots `are_filled`, nothing until there is plenty of it, and then all of it.
    pub(crate) fn pop(&mut self, are_filled: bool) -> Option<Transmit> {
        let is_plenty = self.filled >= PLENTY || self.bytes >= PLENTY_OF_BYTES;
        if are_filled && !self.is_sending && !is_plenty {
            return None;
        }
        let transmit = self.ready.pop_front();
        self.is_sending = !self.ready.is_empty();
        if !self.is_sending {
            self.filled = 0;
        }
        self.bytes -= transmit.as_ref().map_or(0, |transmit| transmit.bytes.len());
        transmit
    }

    /// A slot was filled, whether anything leaves for it or not.
    pub(crate) const fn note_filled(&mut self) {
        self.filled += 1;
    }

    /// Takes a buffer back whose bytes are sent.
    pub(crate) fn recycle(&mut self, mut buffer: Vec<u8>) {
        if self.spare.len() < MAX_SPARE {
            buffer.clear();
            self.spare.push(buffer);
        }
    }

    fn buffer(&mut self) -> Vec<u8> {
        self.spare.pop().unwrap_or_default()
    }
}

/// Where a datagram leaves and where it goes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Path {
    pub(crate) transport: Transport,
    pub(crate) source: SocketAddr,
    pub(crate) destination: SocketAddr,
}

/// A burst that is being gathered: datagrams of one length on one path, of which the last may be
/// shorter.
#[derive(Debug, Default)]
pub(crate) struct Burst {
    bytes: Vec<u8>,
    path: Option<Path>,
    datagrams: usize,
    /// The length of each datagram but the last.
    segment: usize,
    /// The last datagram has the length of the others, so that another may follow.
    is_open: bool,
}

impl Burst {
    pub(crate) const fn is_empty(&self) -> bool {
        self.datagrams == 0
    }

    /// Where the next datagram's bytes are to be appended. Tell with [`add`](Self::add) if there
    /// are any.
    ///
    /// A burst has a buffer only while it is gathered: the next session's then fills the very same
    /// bytes, which are in the processor's cache still.
    pub(crate) fn buffer(&mut self, outbox: &mut Outbox) -> &mut Vec<u8> {
        if self.bytes.capacity() == 0 {
            self.bytes = outbox.buffer();
        }
        &mut self.bytes
    }

    /// Forgets what was appended to the buffer since it was `start` bytes long.
    pub(crate) fn discard(&mut self, start: usize, outbox: &mut Outbox) {
        self.bytes.truncate(start);
        if self.is_empty() {
            outbox.recycle(std::mem::take(&mut self.bytes));
        }
    }

    /// Takes what was appended to the buffer since it was `start` bytes long as datagrams of these
    /// lengths. What cannot leave together with what follows it is put into the outbox.
    pub(crate) fn add(&mut self, start: usize, lens: &[usize], path: Path, outbox: &mut Outbox) {
        let mut end = start;
        for len in lens.iter().copied() {
            let fits = self.path == Some(path)
                && path.transport == Transport::Udp
                && self.is_open
                && len <= self.segment
                && end + len <= Transmit::MAX_BYTES
                && self.datagrams < Transmit::MAX_DATAGRAMS;
            if !fits && !self.is_empty() {
                let mut next = outbox.buffer();
                next.extend_from_slice(self.bytes.get(end..).unwrap_or_default());
                self.bytes.truncate(end);
                self.send(outbox);
                self.bytes = next;
                end = 0;
            }
            end += len;
            if self.is_empty() {
                self.path = Some(path);
                self.segment = len;
            }
            self.is_open = len == self.segment && len <= Transmit::MAX_SEGMENT;
            self.datagrams += 1;
        }
    }

    /// Puts what was gathered into the outbox.
    pub(crate) fn send(&mut self, outbox: &mut Outbox) {
        let Some(Path { transport, source, destination }) = self.path.take() else { return };
        let bytes = std::mem::take(&mut self.bytes);
        let segment = (self.datagrams > 1).then_some(self.segment);
        self.datagrams = 0;
        outbox.push(Transmit { transport, source, destination, bytes, segment });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(port: u16, transport: Transport) -> Path {
        let source = SocketAddr::from(([127, 0, 0, 1], 10000));
        Path { transport, source, destination: SocketAddr::from(([127, 0, 0, 1], port)) }
    }

    /// Gathers datagrams of these lengths, and says what leaves: port, datagrams, bytes.
    fn gathered(datagrams: &[(u16, usize)], transport: Transport) -> Vec<(u16, Vec<usize>)> {
        let (mut burst, mut outbox) = (Burst::default(), Outbox::default());
        for (port, len) in datagrams {
            let buffer = burst.buffer(&mut outbox);
            let start = buffer.len();
            buffer.resize(start + len, 7);
            burst.add(start, &[*len], path(*port, transport), &mut outbox);
        }
        burst.send(&mut outbox);
        assert!(burst.is_empty());
        let lengths = |t: &Transmit| t.datagrams().map(<[u8]>::len).collect();
        std::iter::from_fn(|| outbox.pop(false))
            .map(|t| (t.destination.port(), lengths(&t)))
            .collect()
    }

    #[test]
    fn a_burst_has_one_path_one_length_and_perhaps_a_shorter_end() {
        let udp = Transport::Udp;
        let cases = [
            ("nothing", vec![], vec![]),
            ("one", vec![(1, 100)], vec![(1, vec![100])]),
            ("equal", vec![(1, 100), (1, 100), (1, 100)], vec![(1, vec![100, 100, 100])]),
            ("elsewhere", vec![(1, 100), (2, 100)], vec![(1, vec![100]), (2, vec![100])]),
            (
                "a shorter one ends it",
                vec![(1, 100), (1, 50), (1, 50)],
                vec![(1, vec![100, 50]), (1, vec![50])],
            ),
            ("a longer one is not in it", vec![(1, 9), (1, 10)], vec![(1, vec![9]), (1, vec![10])]),
        ];
        for (name, datagrams, expected) in cases {
            assert_eq!(gathered(&datagrams, udp), expected, "case: {name}");
        }
    }

    #[test]
    fn what_was_written_at_once_leaves_as_if_written_one_by_one() {
        let lens = [100, 100, 50, 100, 20, 30, 30];
        let one_by_one = gathered(&lens.map(|len| (1, len)), Transport::Udp);

        let (mut burst, mut outbox) = (Burst::default(), Outbox::default());
        burst.buffer(&mut outbox).resize(lens.iter().sum(), 7);
        burst.add(0, &lens, path(1, Transport::Udp), &mut outbox);
        burst.send(&mut outbox);

        let lengths = |t: &Transmit| t.datagrams().map(<[u8]>::len).collect();
        let at_once: Vec<(u16, Vec<usize>)> = std::iter::from_fn(|| outbox.pop(false))
            .map(|t| (t.destination.port(), lengths(&t)))
            .collect();
        assert_eq!(at_once, one_by_one);
        assert_eq!(at_once, [(1, vec![100, 100, 50]), (1, vec![100, 20]), (1, vec![30, 30])]);
    }

    #[test]
    fn a_burst_is_no_larger_than_the_kernel_takes() {
        let large = gathered(&[(1, 1200); 100], Transport::Udp);
        let small = gathered(&[(1, 20); 100], Transport::Udp);

        let counts = |bursts: &[(u16, Vec<usize>)]| -> Vec<usize> {
            bursts.iter().map(|(_, lengths)| lengths.len()).collect()
        };
        assert_eq!(counts(&large), [51, 49]);
        assert_eq!(counts(&small), [64, 36]);
    }

    #[test]
    fn over_tcp_each_datagram_has_its_own_frame() {
        assert_eq!(
            gathered(&[(1, 100), (1, 100)], Transport::Tcp),
            [(1, vec![100]), (1, vec![100])]
        );
    }

    #[test]
    fn while_slots_are_filled_a_few_are_and_then_all_is_sent() {
        let mut outbox = Outbox::default();
        let mut sent = Vec::new();
        for slot in 0..20 {
            let bytes = vec![slot; 100];
            let Path { transport, source, destination } = path(1, Transport::Udp);
            // To the fifth, nothing can be sent at present.
            if slot != 5 {
                outbox.push(Transmit { transport, source, destination, bytes, segment: None });
            }
            outbox.note_filled();
            let leaves: Vec<u8> =
                std::iter::from_fn(|| outbox.pop(true)).map(|t| t.bytes[0]).collect();
            sent.push(leaves.len());
        }
        let expected = |i: usize| {
            if i == 7 {
                7
            } else if i == 15 {
                8
            } else {
                0
            }
        };
        assert_eq!(sent, (0..20).map(expected).collect::<Vec<_>>());
        assert_eq!(
            std::iter::from_fn(|| outbox.pop(false)).count(),
            4,
            "the rest, when none is left"
        );

        let Path { transport, source, destination } = path(1, Transport::Udp);
        let bytes = vec![0; PLENTY_OF_BYTES];
        outbox.push(Transmit { transport, source, destination, bytes, segment: None });
        assert!(outbox.pop(true).is_some(), "many bytes are plenty");
    }

    #[test]
    fn buffers_are_used_again() {
        let (mut burst, mut outbox) = (Burst::default(), Outbox::default());
        let mut addresses = Vec::new();
        for _ in 0..3 {
            burst.buffer(&mut outbox).resize(1000, 0);
            burst.add(0, &[1000], path(1, Transport::Udp), &mut outbox);
            burst.send(&mut outbox);
            let transmit = outbox.pop(false).unwrap();
            addresses.push(transmit.bytes.as_ptr());
            outbox.recycle(transmit.bytes);
        }
        assert_eq!(addresses[0], addresses[1]);
    }

    #[test]
    fn what_is_not_sent_after_all_leaves_nothing_behind() {
        let (mut burst, mut outbox) = (Burst::default(), Outbox::default());
        burst.buffer(&mut outbox).resize(10, 0);
        burst.discard(0, &mut outbox);
        assert_eq!(outbox.spare.len(), 1, "the buffer is free again");
        burst.buffer(&mut outbox).resize(10, 1);
        burst.add(0, &[10], path(1, Transport::Udp), &mut outbox);
        burst.buffer(&mut outbox).resize(17, 2);
        burst.discard(10, &mut outbox);
        burst.send(&mut outbox);

        let transmit = outbox.pop(false).unwrap();
        assert_eq!(transmit.bytes, [1; 10]);
        assert!(outbox.pop(false).is_none());
    }
}
