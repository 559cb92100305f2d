//! Framing of datagrams over TCP (RFC 4571): a 16-bit length before each.

/// The most bytes that one frame may have. No STUN, DTLS or RTP packet of ours is longer.
pub(crate) const MAX_FRAME: usize = 2048;

/// Cuts a TCP stream into the datagrams it carries.
///
/// It keeps at most one incomplete frame, so a sender cannot make it grow.
#[derive(Debug, Default)]
pub struct Deframer {
    partial: Vec<u8>,
}

impl Deframer {
    /// Creates one at the beginning of a stream.
    pub const fn new() -> Self {
        Self { partial: Vec::new() }
    }

    /// Takes what was read and gives each complete frame to `each`.
    ///
    /// # Errors
    ///
    /// [`DeframeError`] if a length is too large; the stream is of no use from there on.
    pub fn feed(&mut self, bytes: &[u8], mut each: impl FnMut(&[u8])) -> Result<(), DeframeError> {
        let mut rest = bytes;
        while !self.partial.is_empty() && !rest.is_empty() {
            let missing = match length(&self.partial)? {
                None => 2 - self.partial.len(),
                Some(len) => 2 + len - self.partial.len(),
            };
            let (taken, left) = rest.split_at(missing.min(rest.len()));
            self.partial.extend_from_slice(taken);
            rest = left;
            if let Some(len) = length(&self.partial)?
                && self.partial.len() == 2 + len
            {
                each(self.partial.get(2..).unwrap_or_default());
                self.partial.clear();
            }
        }
        while let Some(len) = length(rest)? {
            let Some(frame) = rest.get(2..2 + len) else { break };
            each(frame);
            rest = rest.get(2 + len..).unwrap_or_default();
        }
        self.partial.extend_from_slice(rest);
        Ok(())
    }
}

/// The length that goes before a datagram on a TCP stream; `None` if it is too long for one frame.
pub fn frame_header(datagram: &[u8]) -> Option<[u8; 2]> {
    u16::try_from(datagram.len()).ok().map(u16::to_be_bytes)
}

/// The length at the head of `bytes`, once both its bytes are there.
fn length(bytes: &[u8]) -> Result<Option<usize>, DeframeError> {
    let Some(head) = bytes.first_chunk::<2>() else { return Ok(None) };
    let len = usize::from(u16::from_be_bytes(*head));
    if len > MAX_FRAME {
        return Err(DeframeError { len });
    }
    Ok(Some(len))
}

/// A frame is longer than any packet of ours: the sender speaks something else.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("a frame of {len} bytes, at most {MAX_FRAME} are allowed")]
pub struct DeframeError {
    len: usize,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn collect(chunks: &[&[u8]]) -> Result<Vec<Vec<u8>>, DeframeError> {
        let mut deframer = Deframer::new();
        let mut frames = Vec::new();
        for chunk in chunks {
            deframer.feed(chunk, |frame| frames.push(frame.to_vec()))?;
        }
        Ok(frames)
    }

    #[test]
    fn frames_come_out_however_the_stream_is_cut() {
        let stream = [0, 3, 1, 2, 3, 0, 0, 0, 1, 9, 0, 2, 7, 8];
        let expected = vec![vec![1, 2, 3], vec![], vec![9], vec![7, 8]];
        for first in 0..=stream.len() {
            for second in first..=stream.len() {
                let chunks = [&stream[..first], &stream[first..second], &stream[second..]];
                assert_eq!(collect(&chunks), Ok(expected.clone()), "cut at {first} and {second}");
            }
        }
    }

    #[test]
    fn an_overlong_frame_ends_the_stream() {
        assert_eq!(collect(&[&[0xff], &[0xff, 0]]), Err(DeframeError { len: 0xffff }));
    }

    #[test]
    fn an_incomplete_frame_is_all_that_is_kept() {
        let mut deframer = Deframer::new();
        for _ in 0..1000 {
            deframer.feed(&[0, 2, 1, 1, 0, 2, 1], |_| {}).unwrap();
            assert!(deframer.partial.len() <= 2 + MAX_FRAME);
            deframer.feed(&[1], |_| {}).unwrap();
        }
        assert!(deframer.partial.is_empty());
    }
}
