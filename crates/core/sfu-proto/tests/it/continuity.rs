use std::collections::BTreeSet;

use crate::client::Received;

/// A receiver must see one stream: sequence numbers without repeats or jumps, timestamps and
/// picture ids that do not go back.
pub(crate) fn assert_continuous(packets: &[&Received]) {
    let mut seen = BTreeSet::new();
    for pair in packets.windows(2) {
        let (a, b) = (pair[0], pair[1]);
        assert!(seen.insert(a.seq), "sequence number {} came twice", a.seq);
        assert_eq!(b.seq, a.seq + 1, "a gap after {}", a.seq);
        assert!(b.timestamp.wrapping_sub(a.timestamp) < 1 << 31, "a timestamp went back");
        if let (Some(x), Some(y)) = (a.picture_id, b.picture_id) {
            assert!(y.wrapping_sub(x) & 0x7fff <= 1, "picture ids jump from {x} to {y}");
        }
    }
}
