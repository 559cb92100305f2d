//! Answers to whoever asks where the node sees them, and so whether it can be reached at all.

use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

/// From one answer to the next one, once a burst is used up.
const EVERY: Duration = Duration::from_millis(10);

/// Answers at once.
const BURST: u32 = 100;

/// The header of a STUN message (RFC 8489 section 5).
const HEADER: usize = 20;

/// The longest answer: to an IPv6 address.
const LONGEST: usize = HEADER + 24;

const REQUEST: [u8; 2] = [0x00, 0x01];
const SUCCESS: [u8; 2] = [0x01, 0x01];
const COOKIE: [u8; 4] = [0x21, 0x12, 0xa4, 0x42];
const XOR_MAPPED_ADDRESS: [u8; 2] = [0x00, 0x20];

/// Attributes from here on may be ignored by who does not know them.
const OPTIONAL: u8 = 0x80;

/// Whether a datagram asks where its sender is seen: a STUN binding request that names no session
/// (RFC 8489 section 3).
///
/// One that is shorter than an answer asks in vain: whoever writes somebody else's address into it
/// must not make more traffic than there was.
pub fn asks_for_echo(datagram: &[u8]) -> bool {
    datagram.len() >= LONGEST
        && datagram.starts_with(&REQUEST)
        && datagram.get(4..8) == Some(&COOKIE)
        && number(datagram, 2).is_some_and(|len| HEADER + len == datagram.len())
        && has_no_demands(datagram)
}

/// Whether no attribute needs to be understood. One that names a session does.
fn has_no_demands(message: &[u8]) -> bool {
    let mut at = HEADER;
    while at < message.len() {
        let is_optional = message.get(at).is_some_and(|high| *high >= OPTIONAL);
        let Some(len) = number(message, at + 2).filter(|_| is_optional) else { return false };
        at += 4 + len.next_multiple_of(4);
    }
    at == message.len()
}

fn number(bytes: &[u8], at: usize) -> Option<usize> {
    let bytes = bytes.get(at..)?.first_chunk::<2>()?;
    Some(u16::from_be_bytes(*bytes).into())
}

/// Answers those who ask, not more often than so many times a second.
#[derive(Debug)]
pub(crate) struct Echo {
    /// When as many answers can be given at once as ever.
    rested_at: Instant,
}

impl Echo {
    pub(crate) const fn new(now: Instant) -> Self {
        Self { rested_at: now }
    }

    /// The answer to what [`asks_for_echo`], unless there were too many lately.
    pub(crate) fn answer(
        &mut self,
        now: Instant,
        source: SocketAddr,
        request: &[u8],
    ) -> Option<Vec<u8>> {
        let next = self.rested_at.max(now) + EVERY;
        if next.saturating_duration_since(now) > EVERY * BURST {
            return None;
        }
        self.rested_at = next;
        Some(answer(source, request.get(8..HEADER)?))
    }
}

/// Says where a request came from.
fn answer(source: SocketAddr, transaction: &[u8]) -> Vec<u8> {
    let key = [&COOKIE, transaction].concat();
    let mask = |bytes: &[u8]| -> Vec<u8> { bytes.iter().zip(&key).map(|(a, b)| a ^ b).collect() };
    let (family, ip) = match source.ip().to_canonical() {
        IpAddr::V4(ip) => (1, mask(&ip.octets())),
        IpAddr::V6(ip) => (2, mask(&ip.octets())),
    };
    let value = [&[0, family], &mask(&source.port().to_be_bytes())[..], &ip].concat();
    let attribute = [&XOR_MAPPED_ADDRESS[..], &len(&value), &value].concat();
    [&SUCCESS[..], &len(&attribute), &COOKIE, transaction, &attribute].concat()
}

fn len(bytes: &[u8]) -> [u8; 2] {
    u16::try_from(bytes.len()).unwrap_or(u16::MAX).to_be_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A request with one attribute of this type and length.
    fn request(kind: u16, len: u16) -> Vec<u8> {
        let padded = len.next_multiple_of(4);
        let attribute = [&kind.to_be_bytes()[..], &len.to_be_bytes(), &vec![b'x'; padded.into()]];
        let header = [&REQUEST[..], &(4 + padded).to_be_bytes(), &COOKIE, &[7; 12]];
        [header.concat(), attribute.concat()].concat()
    }

    #[test]
    fn only_what_is_as_long_as_an_answer_and_names_no_session_asks() {
        assert!(asks_for_echo(&request(0x8022, 20)));
        assert!(asks_for_echo(&request(0x8022, 37)));
        let with = |at: usize, byte: u8| {
            let mut bytes = request(0x8022, 20);
            bytes[at] = byte;
            bytes
        };
        let cases = [
            ("nothing", Vec::new()),
            ("a short one", request(0x8022, 16)),
            ("one with a user name, which is an ICE check", request(0x0006, 20)),
            ("a response", with(0, 1)),
            ("a request for something else", with(1, 3)),
            ("another cookie", with(7, 0)),
            ("another length than it says", with(3, 20)),
            ("an attribute that goes on behind the end", with(23, 21)),
            ("an attribute that ends early", with(23, 3)),
        ];
        for (name, bytes) in cases {
            assert!(!asks_for_echo(&bytes), "case: {name}");
        }
    }

    #[test]
    fn an_answer_says_where_the_request_came_from_and_is_not_longer() {
        // The examples of RFC 5769 sections 2.2 and 2.3 without what is not said here.
        let transaction = [0xb7, 0xe7, 0xa7, 0x01, 0xbc, 0x34, 0xd6, 0x86, 0xfa, 0x87, 0xdf, 0xae];
        let v4 = answer("192.0.2.1:32853".parse().unwrap(), &transaction);
        assert_eq!(v4[20..], [0, 0x20, 0, 8, 0, 1, 0xa1, 0x47, 0xe1, 0x12, 0xa6, 0x43]);
        let source = "[2001:db8:1234:5678:11:2233:4455:6677]:32853".parse().unwrap();
        let v6 = answer(source, &transaction);
        let address = [
            0x01, 0x13, 0xa9, 0xfa, 0xa5, 0xd3, 0xf1, 0x79, 0xbc, 0x25, 0xf4, 0xb5, 0xbe, 0xd2,
            0xb9, 0xd9,
        ];
        assert_eq!(v6[20..28], [0, 0x20, 0, 20, 0, 2, 0xa1, 0x47]);
        assert_eq!(v6[28..], address);
        assert_eq!(v6.len(), LONGEST);
        assert_eq!(v6[..8], [1, 1, 0, 24, 0x21, 0x12, 0xa4, 0x42]);
    }

    #[test]
    fn there_are_so_many_answers_at_once_and_then_so_many_a_second() {
        #[expect(clippy::disallowed_methods, reason = "virtual time needs some instant to start")]
        let start = Instant::now();
        let mut echo = Echo::new(start);
        let asker = "192.0.2.1:5000".parse().unwrap();
        let mut answered = |now| {
            let asked = std::iter::repeat_with(|| echo.answer(now, asker, &request(0x8022, 20)));
            asked.take(1000).flatten().count()
        };
        assert_eq!(answered(start), BURST as usize);
        assert_eq!(answered(start + EVERY * 5), 5);
        assert_eq!(answered(start + EVERY * BURST * 9), BURST as usize);
    }
}
