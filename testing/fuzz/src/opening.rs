//! Telling protocols apart by the first bytes of a connection.

use conclave_sfu_proto::{Deframer, Opening};

/// However few or many bytes have come, it is told the same, and soon; what is told to be media
/// can be cut into frames.
pub(crate) fn target(data: &[u8]) {
    let whole = Opening::of(data);
    for len in 0..=data.len().min(2 * Opening::MAX_LEN) {
        let part = Opening::of(data.get(..len).unwrap_or_default());
        assert!(part.is_none() || part == whole, "{part:?} after {len} bytes, then {whole:?}");
        assert!(part.is_some() || len < Opening::MAX_LEN, "undecided after {len} bytes");
    }
    if whole == Some(Opening::Media) {
        let head = data.get(..Opening::MAX_LEN).unwrap_or_default();
        assert!(Deframer::new().feed(head, |_| ()).is_ok(), "a frame that is too long");
    }
}
