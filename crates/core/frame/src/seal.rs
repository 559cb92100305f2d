use std::collections::BTreeMap;
use std::fmt;

use sframe::error::SframeError;
use sframe::frame::{MediaFrameView, MonotonicCounter};
use sframe::key::EncryptionKey;

use crate::key::BaseKey;
use crate::kid::{Epoch, Kid, Leaf, Track};
use crate::prefix::{Codec, MAX_FRAME_LEN};

/// Bytes of a tag: never shortened.
pub const TAG_LEN: usize = 16;

/// The most bytes that sealing adds: 1 of configuration, 3 of key id, 4 of counter and the tag.
pub const MAX_OVERHEAD: usize = 1 + 3 + 4 + TAG_LEN;

/// The last counter of a key: 2^32 frames are 2.7 years of voice, in an epoch of minutes.
const LAST_COUNTER: u64 = u32::MAX as u64;

/// Seals what this device sends in one epoch.
///
/// It cannot be copied, stored or restored, and its counters only go up: the same key and counter
/// never seal two frames (RFC 9605 section 9.1).
pub struct Sealer {
    base: BaseKey,
    own: Leaf,
    tracks: BTreeMap<Track, TrackSealer>,
}

struct TrackSealer {
    key: EncryptionKey,
    counter: MonotonicCounter,
}

impl Sealer {
    pub(crate) const fn new(base: BaseKey, own: Leaf) -> Self {
        Self { base, own, tracks: BTreeMap::new() }
    }

    /// The epoch it seals in.
    pub const fn epoch(&self) -> Epoch {
        self.base.epoch()
    }

    /// Seals an encoded frame.
    ///
    /// # Errors
    ///
    /// The frame is to be dropped: nothing readable may be sent in its place.
    pub fn seal(&mut self, track: Track, codec: Codec, frame: &[u8]) -> Result<Vec<u8>, SealError> {
        self.seal_up_to(LAST_COUNTER, track, codec, frame)
    }

    fn seal_up_to(
        &mut self,
        last_counter: u64,
        track: Track,
        codec: Codec,
        frame: &[u8],
    ) -> Result<Vec<u8>, SealError> {
        if !codec.suits(track.source) {
            return Err(SealError::Codec);
        }
        if frame.len() > MAX_FRAME_LEN {
            return Err(SealError::TooLong);
        }
        let clear_len = codec.clear_len(frame).ok_or(SealError::TooShort)?;
        let (clear, secret) = frame.split_at_checked(clear_len).ok_or(SealError::TooShort)?;
        let metadata = metadata(codec, track, clear);
        let sealer = self.track(last_counter, track)?;

        let view = MediaFrameView::try_with_meta_data(&mut sealer.counter, secret, &metadata)
            .map_err(|_| SealError::CounterExhausted)?;
        let mut sealed = Vec::with_capacity(metadata.len() + secret.len() + MAX_OVERHEAD);
        view.encrypt_into(&sealer.key, &mut sealed).map_err(|_: SframeError| SealError::Cipher)?;
        // The library puts the metadata in front; of it, only the clear prefix travels.
        sealed.drain(..CONTEXT_LEN);
        Ok(sealed)
    }

    fn track(&mut self, last_counter: u64, track: Track) -> Result<&mut TrackSealer, SealError> {
        let kid = Kid { track, leaf: self.own, epoch: self.base.epoch().low_bits() };
        match self.tracks.entry(track) {
            std::collections::btree_map::Entry::Occupied(known) => Ok(known.into_mut()),
            std::collections::btree_map::Entry::Vacant(vacant) => {
                let key = self.base.sealing(kid).ok_or(SealError::Cipher)?;
                Ok(vacant.insert(TrackSealer { key, counter: MonotonicCounter::new(last_counter) }))
            }
        }
    }
}

impl fmt::Debug for Sealer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sealer(..)")
    }
}

/// Bytes of the metadata before the clear prefix.
const CONTEXT_LEN: usize = 2;

/// What is authenticated with a frame beside its header (RFC 9605 section 4.4.3): codec, track,
/// and the clear prefix.
pub(crate) fn metadata(codec: Codec, track: Track, clear: &[u8]) -> Vec<u8> {
    [&[codec.id(), track.context()], clear].concat()
}

/// Why a frame was not sealed. In each case it is dropped.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum SealError {
    /// The library refused: our mistake.
    #[error("the cipher refused the frame")]
    Cipher,
    /// The codec is not one that this source is encoded with.
    #[error("the codec does not suit the source")]
    Codec,
    /// Every counter under this key was used: a new epoch is needed.
    #[error("the key has sealed as many frames as it may")]
    CounterExhausted,
    /// The frame is longer than any encoder's.
    #[error("the frame is too long")]
    TooLong,
    /// The frame has not even its codec's clear prefix.
    #[error("the frame is too short")]
    TooShort,
}

#[cfg(test)]
mod tests {
    use zeroize::Zeroizing;

    use super::*;
    use crate::kid::Source;

    #[test]
    fn a_counter_is_never_used_twice_and_its_exhaustion_is_an_error() {
        let base = BaseKey::new(Zeroizing::new([7; 32]), Epoch(1));
        let (mut sealer, _) = base.split(Leaf::try_from(1).unwrap());
        let track = Track::single(Source::Microphone);
        let mut seal = || sealer.seal_up_to(2, track, Codec::Opus, b"voice");

        let sealed: Vec<_> = (0..3).map(|_| seal().unwrap()).collect();

        assert!(sealed.iter().enumerate().all(|(i, a)| sealed.iter().skip(i + 1).all(|b| a != b)));
        assert_eq!(seal(), Err(SealError::CounterExhausted));
        assert_eq!(seal(), Err(SealError::CounterExhausted), "and it stays one");
    }
}
