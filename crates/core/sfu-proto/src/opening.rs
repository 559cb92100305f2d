//! What a TCP connection is, told from its first bytes: so media and HTTPS may share a port.

use crate::deframe::MAX_FRAME;

/// The first bytes of a TLS handshake record of any version (RFC 8446 section 5.1).
const TLS: [u8; 2] = [0x16, 0x03];

/// The header of a STUN message (RFC 8489 section 5), which is the least of one.
const STUN_HEADER: usize = 20;

/// A frame's length, then a STUN binding request up to its magic cookie. `None` may be anything.
const CHECK: [Option<u8>; Opening::MAX_LEN] = [
    None,
    None,
    Some(0x00),
    Some(0x01),
    None,
    None,
    Some(0x21),
    Some(0x12),
    Some(0xa4),
    Some(0x42),
];

/// What a TCP connection begins with.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Opening {
    /// Neither of the two.
    Foreign,
    /// A frame (RFC 4571) with a STUN binding request: the first check of ICE over TCP (RFC 6544).
    Media,
    /// A TLS handshake.
    Tls,
}

impl Opening {
    /// The most bytes that it takes to tell.
    pub const MAX_LEN: usize = 10;

    /// Tells from the first bytes of a connection; `None` while there are too few. What it has
    /// told once, further bytes do not change.
    pub fn of(head: &[u8]) -> Option<Self> {
        match (begins_tls(head), begins_check(head)) {
            (Some(true), _) => Some(Self::Tls),
            (_, Some(true)) => Some(Self::Media),
            (Some(false), Some(false)) => Some(Self::Foreign),
            (None, _) | (_, None) => None,
        }
    }
}

fn begins_tls(head: &[u8]) -> Option<bool> {
    if !head.iter().zip(&TLS).all(|(byte, expected)| byte == expected) {
        return Some(false);
    }
    (head.len() >= TLS.len()).then_some(true)
}

fn begins_check(head: &[u8]) -> Option<bool> {
    let fits = |(byte, expected): (&u8, &Option<u8>)| expected.is_none_or(|it| it == *byte);
    if !head.iter().zip(&CHECK).all(fits) || !has_length_of_check(head) {
        return Some(false);
    }
    (head.len() >= CHECK.len()).then_some(true)
}

/// Whether the frame can hold one STUN message and nothing else, as far as its length is there.
fn has_length_of_check(head: &[u8]) -> bool {
    let number = |at: usize| {
        let bytes = head.get(at..)?.first_chunk::<2>()?;
        Some(usize::from(u16::from_be_bytes(*bytes)))
    };
    let Some(frame) = number(0) else {
        return head.first().is_none_or(|high| usize::from(*high) << 8 <= MAX_FRAME);
    };
    // STUN pads to four bytes, and counts what comes after the header.
    let possible = (STUN_HEADER..=MAX_FRAME).contains(&frame) && frame.is_multiple_of(4);
    possible && number(4).is_none_or(|message| STUN_HEADER + message == frame)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A frame with a binding request of 24 bytes.
    const REQUEST: [u8; 12] = [0, 24, 0, 1, 0, 4, 0x21, 0x12, 0xa4, 0x42, 7, 7];
    const HELLO: [u8; 6] = [0x16, 3, 1, 2, 0, 1];

    #[test]
    fn the_two_protocols_are_told_by_as_few_bytes_as_can_be() {
        assert_eq!(Opening::of(&HELLO[..1]), None);
        assert_eq!(Opening::of(&HELLO[..2]), Some(Opening::Tls));
        for len in 0..Opening::MAX_LEN {
            assert_eq!(Opening::of(&REQUEST[..len]), None, "{len} bytes");
        }
        assert_eq!(Opening::of(&REQUEST[..Opening::MAX_LEN]), Some(Opening::Media));
    }

    #[test]
    fn whatever_else_comes_is_foreign() {
        let with = |at: usize, byte: u8| {
            let mut bytes = REQUEST;
            bytes[at] = byte;
            bytes.to_vec()
        };
        let cases = [
            ("HTTP without TLS", b"GET / HTTP/1.1\r\n".to_vec()),
            ("SSH", b"SSH-2.0-OpenSSH\r\n".to_vec()),
            ("TLS, but no handshake", vec![0x17, 3, 3]),
            ("a handshake of another protocol", vec![0x16, 0xfe, 0xff]),
            ("STUN without a frame", REQUEST[2..].to_vec()),
            ("an empty frame", vec![0, 0]),
            ("a frame too short for STUN", vec![0, 16, 0, 1]),
            ("a frame longer than any", vec![9]),
            ("a frame that is no multiple of four", with(1, 25)),
            ("a frame of another length than its message", with(5, 8)),
            ("a STUN response", with(2, 1)),
            ("a STUN request for something else", with(3, 3)),
            ("another cookie", with(9, 0x43)),
        ];
        for (name, bytes) in cases {
            assert_eq!(Opening::of(&bytes), Some(Opening::Foreign), "case: {name}");
        }
    }

    /// Beginnings that are nearly what they ought to be, and some that are not.
    fn beginnings() -> impl Strategy<Value = Vec<u8>> {
        let nearly = |bytes: &'static [u8]| {
            (Just(bytes.to_vec()), 0..bytes.len(), any::<u8>(), any::<bool>()).prop_map(
                |(mut bytes, at, byte, broken)| {
                    if broken {
                        bytes[at] = byte;
                    }
                    bytes
                },
            )
        };
        prop_oneof![nearly(&REQUEST), nearly(&HELLO), prop::collection::vec(any::<u8>(), 0..16)]
    }

    proptest! {
        #[test]
        fn more_bytes_never_change_what_was_told(bytes in beginnings()) {
            let told: Vec<_> = (0..=bytes.len()).map(|len| Opening::of(&bytes[..len])).collect();

            let first = told.iter().position(Option::is_some).unwrap_or(told.len());
            prop_assert!(told[first..].iter().all(|opening| *opening == told[first]));
            prop_assert!(bytes.len() < Opening::MAX_LEN || first <= Opening::MAX_LEN);
        }
    }
}
