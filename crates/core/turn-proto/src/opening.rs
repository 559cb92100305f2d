/// How many bytes tell it at most: a STUN header up to and with its magic cookie.
const TELLING: usize = 8;

/// The magic cookie (RFC 8489 section 5).
const COOKIE: [u8; 4] = [0x21, 0x12, 0xa4, 0x42];

/// Whether a connection whose first bytes these are speaks TURN, after TLS or without it; `None`
/// while there are too few. What it has told once, further bytes do not change.
///
/// A client begins with a request to allocate or to bind; no version of HTTP begins with a zero.
pub fn speaks_turn(head: &[u8]) -> Option<bool> {
    let fits = head.iter().take(TELLING).enumerate().all(|(at, byte)| match at {
        0 => *byte == 0,
        1 => *byte == 1 || *byte == 3,
        2 | 3 => true,
        _ => COOKIE.get(at - 4) == Some(byte),
    });
    match (fits, head.len() >= TELLING) {
        (false, _) => Some(false),
        (true, true) => Some(true),
        (true, false) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALLOCATE: [u8; 8] = [0, 3, 0, 8, 0x21, 0x12, 0xa4, 0x42];

    #[test]
    fn the_first_request_of_a_client_is_told_by_its_eighth_byte_and_not_before() {
        for len in 0..ALLOCATE.len() {
            assert_eq!(speaks_turn(&ALLOCATE[..len]), None, "after {len} bytes");
        }
        assert_eq!(speaks_turn(&ALLOCATE), Some(true));
        let mut binding = ALLOCATE;
        binding[1] = 1;
        assert_eq!(speaks_turn(&[&binding[..], &[9; 12]].concat()), Some(true));
    }

    #[test]
    fn http_is_told_by_its_first_byte() {
        for head in [&b"G"[..], b"GET / HTTP/1.1\r\n", b"PRI * HTTP/2.0\r\n\r\n"] {
            assert_eq!(speaks_turn(head), Some(false));
        }
        let mut other = ALLOCATE;
        other[7] = 0x43;
        assert_eq!(speaks_turn(&other), Some(false), "another cookie");
    }
}
