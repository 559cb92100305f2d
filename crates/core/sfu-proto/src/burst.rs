//! Datagrams to one destination, gathered so that one system call sends them (GSO).

use std::collections::VecDeque;
use std::net::SocketAddr;

use crate::{Transmit, Transport};

/// The most bytes in one burst: what fits into one IP packet, with its headers.
const MAX_BYTES: usize = 60 * 1024;

/// The most datagrams in one burst: what Linux takes (`UDP_MAX_SEGMENTS`).
const MAX_DATAGRAMS: usize = 64;

/// Buffers kept to be filled again. A shard has about as many bursts at a time as a call has
/// members.
const MAX_SPARE: usize = 512;

/// What is to be sent, and buffers for more of it.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    ready: VecDeque<Transmit>,
    spare: Vec<Vec<u8>>,
}

impl Outbox {
    pub(crate) fn push(&mut self, transmit: Transmit) {
        self.ready.push_back(transmit);
    }

    pub(crate) fn pop(&mut self) -> Option<Transmit> {
        self.ready.pop_front()
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
    pub(crate) const fn buffer(&mut self) -> &mut Vec<u8> {
        &mut self.bytes
    }

    /// Takes what was appended to the buffer since it was `start` bytes long as a datagram. What
    /// cannot leave together with it is put into the outbox.
    pub(crate) fn add(&mut self, start: usize, path: Path, outbox: &mut Outbox) {
        let len = self.bytes.len().saturating_sub(start);
        let fits = self.path == Some(path)
            && path.transport == Transport::Udp
            && self.is_open
            && len <= self.segment
            && self.bytes.len() <= MAX_BYTES
            && self.datagrams < MAX_DATAGRAMS;
        if !fits && !self.is_empty() {
            let mut next = outbox.buffer();
            next.extend_from_slice(self.bytes.get(start..).unwrap_or_default());
            self.bytes.truncate(start);
            self.send(outbox);
            self.bytes = next;
        }
        if self.is_empty() {
            self.path = Some(path);
            self.segment = len;
        }
        self.is_open = len == self.segment;
        self.datagrams += 1;
    }

    /// Puts what was gathered into the outbox.
    pub(crate) fn send(&mut self, outbox: &mut Outbox) {
        let Some(Path { transport, source, destination }) = self.path.take() else { return };
        let bytes = std::mem::replace(&mut self.bytes, outbox.buffer());
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
            let start = burst.buffer().len();
            burst.buffer().resize(start + len, 7);
            burst.add(start, path(*port, transport), &mut outbox);
        }
        burst.send(&mut outbox);
        assert!(burst.is_empty());
        let lengths = |t: &Transmit| t.datagrams().map(<[u8]>::len).collect();
        std::iter::from_fn(|| outbox.pop()).map(|t| (t.destination.port(), lengths(&t))).collect()
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
    fn buffers_are_used_again() {
        let (mut burst, mut outbox) = (Burst::default(), Outbox::default());
        let mut addresses = Vec::new();
        for _ in 0..3 {
            burst.buffer().resize(1000, 0);
            burst.add(0, path(1, Transport::Udp), &mut outbox);
            burst.send(&mut outbox);
            let transmit = outbox.pop().unwrap();
            addresses.push(transmit.bytes.as_ptr());
            outbox.recycle(transmit.bytes);
        }
        assert_eq!(addresses[0], addresses[2]);
    }
}
