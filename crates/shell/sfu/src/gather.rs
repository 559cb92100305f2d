//! Datagrams that leave one after another, put together so that one call of the system sends them.

use std::net::SocketAddr;

use conclave_sfu_proto::{Transmit, Transport};

/// What is to be sent next, to which more may still be added.
#[derive(Debug, Default)]
pub(crate) struct Gather {
    burst: Option<Transmit>,
}

impl Gather {
    /// Adds a datagram. Returns what has to be sent before it: all that was gathered, if it does not
    /// go to the same place, or does not fit.
    pub(crate) fn add(
        &mut self,
        source: SocketAddr,
        destination: SocketAddr,
        bytes: Vec<u8>,
    ) -> Option<Transmit> {
        let fitting = self.burst.as_mut().filter(|burst| {
            (burst.source, burst.destination) == (source, destination) && takes(burst, bytes.len())
        });
        if let Some(burst) = fitting {
            burst.segment.get_or_insert(burst.bytes.len());
            burst.bytes.extend_from_slice(&bytes);
            return None;
        }
        let transport = Transport::Udp;
        self.burst.replace(Transmit { transport, source, destination, bytes, segment: None })
    }

    /// Takes out what was gathered.
    pub(crate) fn take(&mut self) -> Option<Transmit> {
        self.burst.take()
    }
}

/// Whether a datagram of this length can follow in a burst: all are of one length but the last,
/// which may be shorter.
fn takes(burst: &Transmit, length: usize) -> bool {
    let segment = burst.segment.unwrap_or(burst.bytes.len());
    segment <= Transmit::MAX_SEGMENT
        && burst.bytes.len().is_multiple_of(segment)
        && (1..=segment).contains(&length)
        && burst.bytes.len() + length <= Transmit::MAX_BYTES
        && burst.datagrams().len() < Transmit::MAX_DATAGRAMS
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(port: u16) -> SocketAddr {
        ([127, 0, 0, 1], port).into()
    }

    /// Gathers datagrams of these lengths for these ports. Gives the lengths that leave together.
    fn gathered(datagrams: &[(u16, usize)]) -> Vec<(u16, Vec<usize>)> {
        let (mut gather, mut sent) = (Gather::default(), Vec::new());
        for (port, length) in datagrams {
            sent.extend(gather.add(at(1), at(*port), vec![7; *length]));
        }
        sent.extend(gather.take());
        assert!(gather.take().is_none());
        let lengths = |burst: &Transmit| burst.datagrams().map(<[u8]>::len).collect();
        sent.iter().map(|burst| (burst.destination.port(), lengths(burst))).collect()
    }

    #[test]
    fn what_goes_to_one_place_in_one_length_leaves_together_and_a_shorter_one_is_the_last() {
        let sent =
            gathered(&[(5, 900), (5, 900), (5, 300), (5, 300), (5, 400), (6, 400), (5, 400)]);
        let expected = [
            (5, vec![900, 900, 300]),
            (5, vec![300]),
            (5, vec![400]),
            (6, vec![400]),
            (5, vec![400]),
        ];
        assert_eq!(sent, expected);
    }

    #[test]
    fn a_burst_has_no_more_than_the_kernel_takes() {
        let sizes = |datagrams: &[(u16, usize)]| {
            gathered(datagrams).iter().map(|(_, lengths)| lengths.len()).collect::<Vec<_>>()
        };
        assert_eq!(sizes(&[(5, 100); 70]), [64, 6]);
        assert_eq!(sizes(&[(5, 1200); 60]), [51, 9]);
        assert_eq!(sizes(&[(5, 1450); 3]), [1, 1, 1]);
    }
}
