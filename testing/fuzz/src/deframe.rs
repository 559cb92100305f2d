//! The framing of datagrams over TCP.

use conclave_sfu_proto::Deframer;

/// The frames are the same however the stream is cut; the first byte says into pieces of what
/// size.
pub(crate) fn target(data: &[u8]) {
    let Some((&size, stream)) = data.split_first() else { return };
    let whole = frames([stream]);
    let cut = frames(stream.chunks(usize::from(size).max(1)));
    assert_eq!(cut, whole);
}

/// The frames up to the first error, and whether there was one.
fn frames<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> (Vec<Vec<u8>>, bool) {
    let mut deframer = Deframer::new();
    let mut frames = Vec::new();
    for piece in pieces {
        if deframer.feed(piece, |frame| frames.push(frame.to_vec())).is_err() {
            return (frames, true);
        }
    }
    (frames, false)
}
