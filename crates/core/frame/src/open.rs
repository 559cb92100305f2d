use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Duration;

use sframe::error::SframeError;
use sframe::frame::EncryptedFrameView;
use sframe::frame::validation::{ReplayAttackProtection, ReplayAttackProtectionError, Tolerance};
use sframe::header::SframeHeader;
use sframe::key::DecryptionKey;

use crate::key::ReceiveKeys;
use crate::kid::{Epoch, Kid, Leaf, Source};
use crate::prefix::{Codec, MAX_FRAME_LEN};
use crate::seal::{MAX_OVERHEAD, TAG_LEN, metadata};

/// How long a replaced epoch's frames are still opened: those on their way, and those of senders
/// that have not yet seen the commit.
pub const OLD_EPOCH_LIFE: Duration = Duration::from_secs(10);

/// How many epochs' keys are held at once.
pub const MAX_EPOCHS: usize = 4;

/// How far a frame may come behind the newest of its key: five seconds of voice.
pub const REPLAY_WINDOW: usize = 256;

/// Opens what others sent.
///
/// Times are durations since a moment of the caller's choice, the same for all calls. Its keys
/// expire by the clock: call [`handle_timeout`](Self::handle_timeout) when
/// [`poll_timeout`](Self::poll_timeout) says.
#[derive(Default)]
pub struct Opener {
    /// Oldest first; the last is the current one.
    epochs: Vec<OpenerEpoch>,
}

struct OpenerEpoch {
    keys: ReceiveKeys,
    expires_at: Option<Duration>,
    /// Leaves that later epochs do not have: nothing of theirs is opened any more.
    revoked: BTreeSet<Leaf>,
    tracks: BTreeMap<Kid, TrackOpener>,
}

struct TrackOpener {
    key: DecryptionKey,
    replay: ReplayAttackProtection,
}

/// Whose frames a slot is subscribed to, as this device knows it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Expected {
    /// The publisher.
    pub leaf: Leaf,
    /// What of the publisher's; in which layer is the server's choice.
    pub source: Source,
    /// The codec of the payload type that the frame came with.
    pub codec: Codec,
}

/// A frame as its publisher's encoder made it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Opened {
    /// The frame, with its clear prefix.
    pub frame: Vec<u8>,
    /// The key that sealed it: who is heard or seen is told from it, never from a slot.
    pub kid: Kid,
}

impl Opener {
    /// Opens nothing until keys are [installed](Self::install).
    pub fn new() -> Self {
        Self::default()
    }

    /// Installs the keys of a new epoch. Those of the epochs before expire after
    /// [`OLD_EPOCH_LIFE`], and the oldest at once when there would be more than [`MAX_EPOCHS`].
    ///
    /// # Errors
    ///
    /// The epoch is not newer than the current one: epochs are entered in order, and once.
    pub fn install(&mut self, now: Duration, keys: ReceiveKeys) -> Result<(), InstallError> {
        self.handle_timeout(now);
        let epoch = keys.epoch();
        if self.epochs.last().is_some_and(|current| current.keys.epoch() >= epoch) {
            return Err(InstallError);
        }
        // A key id says the low bits only, and names one key.
        self.epochs.retain(|old| old.keys.epoch().low_bits() != epoch.low_bits());
        for old in &mut self.epochs {
            old.expires_at.get_or_insert(now + OLD_EPOCH_LIFE);
        }
        let tracks = BTreeMap::new();
        self.epochs.push(OpenerEpoch { keys, expires_at: None, revoked: BTreeSet::new(), tracks });
        let surplus = self.epochs.len().saturating_sub(MAX_EPOCHS);
        self.epochs.drain(..surplus);
        Ok(())
    }

    /// Drops every key of a device that the newest epoch removed: what it sealed in earlier epochs
    /// is no longer opened, though theirs live on for the others. Its leaf may have a new owner in
    /// the newest epoch.
    pub fn revoke(&mut self, leaf: Leaf) {
        if let Some((_newest, replaced)) = self.epochs.split_last_mut() {
            for old in replaced {
                old.revoked.insert(leaf);
                old.tracks.retain(|kid, _| kid.leaf != leaf);
            }
        }
    }

    /// The newest epoch.
    pub fn epoch(&self) -> Option<Epoch> {
        self.epochs.last().map(|current| current.keys.epoch())
    }

    /// When keys expire next.
    pub fn poll_timeout(&self) -> Option<Duration> {
        self.epochs.iter().filter_map(|epoch| epoch.expires_at).min()
    }

    /// Erases the keys whose time is over.
    pub fn handle_timeout(&mut self, now: Duration) {
        self.epochs.retain(|epoch| epoch.expires_at.is_none_or(|at| now < at));
    }

    /// Opens a frame that came in a slot.
    ///
    /// Who sent what in which epoch is checked before any key is touched; the counter is recorded
    /// after the frame proved authentic, so a forger cannot use it up.
    ///
    /// # Errors
    ///
    /// The frame is to be dropped, and counted by reason.
    pub fn open(
        &mut self,
        now: Duration,
        expected: Expected,
        sealed: &[u8],
    ) -> Result<Opened, OpenError> {
        self.handle_timeout(now);
        let Expected { leaf, source, codec } = expected;
        if !codec.suits(source) {
            return Err(OpenError::Codec);
        }
        if sealed.len() > MAX_FRAME_LEN + MAX_OVERHEAD {
            return Err(OpenError::TooLong);
        }
        let clear_len = codec.clear_len(sealed).ok_or(OpenError::TooShort)?;
        let (clear, body) = sealed.split_at_checked(clear_len).ok_or(OpenError::TooShort)?;
        let kid = read_header(body)?;
        if kid.leaf != leaf {
            return Err(OpenError::WrongLeaf);
        }
        if kid.track.source != source {
            return Err(OpenError::WrongTrack);
        }
        let without_keys = self.without_keys(kid.epoch);
        let epoch = self
            .epochs
            .iter_mut()
            .find(|epoch| epoch.keys.epoch().low_bits() == kid.epoch)
            .ok_or(without_keys)?;
        if epoch.revoked.contains(&leaf) {
            return Err(OpenError::Revoked);
        }

        let metadata = metadata(codec, kid.track, clear);
        let opener = epoch.track(kid)?;
        let view = EncryptedFrameView::try_with_meta_data(body, &metadata)
            .map_err(|_| OpenError::Header)?;
        let mut opened = Vec::with_capacity(sealed.len() + metadata.len());
        view.validated_decrypt_into(&opener.key, &mut opened, &mut opener.replay)
            .map_err(|error| refusal(&error))?;
        opened.drain(..metadata.len() - clear.len());
        Ok(Opened { frame: opened, kid })
    }

    /// Why a frame of an epoch that there are no keys of is not opened. A key id has the epoch's
    /// low 8 bits: what is less than half of their range ahead of the current one is yet to come.
    fn without_keys(&self, low_bits: u8) -> OpenError {
        let ahead = self.epoch().map(|current| low_bits.wrapping_sub(current.low_bits()));
        if ahead.is_some_and(|ahead| ahead >= 128) {
            OpenError::PastEpoch
        } else {
            OpenError::UnknownEpoch
        }
    }
}

impl OpenerEpoch {
    fn track(&mut self, kid: Kid) -> Result<&mut TrackOpener, OpenError> {
        match self.tracks.entry(kid) {
            std::collections::btree_map::Entry::Occupied(known) => Ok(known.into_mut()),
            std::collections::btree_map::Entry::Vacant(vacant) => {
                let key = self.keys.opening(kid).ok_or(OpenError::Forged)?;
                let window = Tolerance::new(REPLAY_WINDOW);
                let replay = ReplayAttackProtection::new(kid.to_u64(), window);
                Ok(vacant.insert(TrackOpener { key, replay }))
            }
        }
    }
}

impl fmt::Debug for Opener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Opener").field("epoch", &self.epoch()).finish_non_exhaustive()
    }
}

/// Reads the header of a frame, in the one encoding that it has (RFC 9605 section 4.3).
fn read_header(body: &[u8]) -> Result<Kid, OpenError> {
    let header = SframeHeader::deserialize(body).map_err(|_| OpenError::Header)?;
    let shortest = SframeHeader::new(header.key_id(), header.counter());
    let mut encoded = [0; 17];
    let encoded = encoded.get_mut(..shortest.len()).ok_or(OpenError::Header)?;
    shortest.serialize(&mut *encoded).map_err(|_| OpenError::Header)?;
    if !body.starts_with(encoded) || header.counter() > u64::from(u32::MAX) {
        return Err(OpenError::Header);
    }
    if body.len() < encoded.len() + TAG_LEN {
        return Err(OpenError::TooShort);
    }
    Kid::try_from(header.key_id()).map_err(|_| OpenError::Header)
}

fn refusal(error: &SframeError) -> OpenError {
    match error.source_as::<ReplayAttackProtectionError>() {
        Some(ReplayAttackProtectionError::DuplicatedFrame { .. }) => OpenError::Replayed,
        Some(ReplayAttackProtectionError::CounterTooOld { .. }) => OpenError::TooLate,
        Some(ReplayAttackProtectionError::KeyIdMismatch { .. }) | None => OpenError::Forged,
    }
}

/// The epoch is not newer than the current one.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("the epoch is not newer than the current one")]
pub struct InstallError;

/// Why a frame was not opened. In each case it is dropped.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd, thiserror::Error)]
pub enum OpenError {
    /// The codec is not one that the slot's source is encoded with.
    #[error("the codec does not suit the source")]
    Codec,
    /// The tag is wrong: something in the frame was made or changed by someone without the key.
    #[error("the frame is not authentic")]
    Forged,
    /// The header is not one that a device of this protocol writes.
    #[error("the frame's header is malformed")]
    Header,
    /// The frame's epoch is over, or was over before this device came in: no key for it will come.
    #[error("the frame's epoch is over")]
    PastEpoch,
    /// The frame was opened before.
    #[error("the frame came a second time")]
    Replayed,
    /// The sender was removed from the call.
    #[error("the frame's sender was removed")]
    Revoked,
    /// The frame is so far behind that it may have been opened before.
    #[error("the frame came too late")]
    TooLate,
    /// The frame is longer than any encoder's.
    #[error("the frame is too long")]
    TooLong,
    /// The frame has not even prefix, header and tag.
    #[error("the frame is too short")]
    TooShort,
    /// The epoch's keys are not there: it has not begun.
    #[error("the frame's epoch has not begun")]
    UnknownEpoch,
    /// The frame is another device's than the slot's.
    #[error("the frame is of another device")]
    WrongLeaf,
    /// The frame is another source's than the slot's.
    #[error("the frame is of another source")]
    WrongTrack,
}
