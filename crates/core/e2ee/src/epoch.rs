use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use conclave_frame::{
    BaseKey, Codec, Epoch, Expected, Leaf, OpenError, Opened, Opener, SealError, Sealer, Source,
    Track,
};
use zeroize::Zeroizing;

/// How long a sender waits at most before it uses the keys of an epoch that adds people: until
/// then, those who have not seen the commit yet could not open its frames.
pub(crate) const SWITCH_AFTER: Duration = Duration::from_secs(1);

/// The media keys of a member.
#[derive(Default)]
pub(crate) struct Media {
    opener: Opener,
    sealer: Option<Sealer>,
    next: Option<(Duration, Sealer)>,
    drops: BTreeMap<Dropped, u64>,
    muted: BTreeSet<(Leaf, Source)>,
    own: Option<Leaf>,
}

/// When senders use a new epoch's keys.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Switch {
    /// Someone is out: nothing more is sent under a key that they have.
    AtOnce,
    /// When all have the keys, or after [`SWITCH_AFTER`].
    WhenReady,
}

impl Media {
    /// Takes the keys of a new epoch in.
    pub(crate) fn enter(
        &mut self,
        now: Duration,
        (epoch, key): (u64, Zeroizing<[u8; 32]>),
        own: Leaf,
        switch: Switch,
        removed: &[u32],
    ) {
        let (sealer, keys) = BaseKey::new(key, Epoch(epoch)).split(own);
        self.own = Some(own);
        if self.opener.install(now, keys).is_err() {
            return;
        }
        for leaf in removed.iter().filter_map(|&leaf| Leaf::try_from(leaf).ok()) {
            self.opener.revoke(leaf);
        }
        // Whoever waited for the epoch before has waited long enough.
        if let Some((_, waiting)) = self.next.take() {
            self.sealer = Some(waiting);
        }
        match switch {
            Switch::AtOnce => self.sealer = Some(sealer),
            Switch::WhenReady => self.next = Some((now + SWITCH_AFTER, sealer)),
        }
    }

    /// All have the keys of that epoch.
    pub(crate) fn all_ready(&mut self, epoch: u64) {
        if self.next.as_ref().is_some_and(|(_, next)| next.epoch() == Epoch(epoch)) {
            self.sealer = self.next.take().map(|(_, next)| next);
        }
    }

    pub(crate) fn set_mutes(&mut self, muted: BTreeSet<(Leaf, Source)>) {
        self.muted = muted;
    }

    pub(crate) fn handle_timeout(&mut self, now: Duration) {
        self.opener.handle_timeout(now);
        if self.next.as_ref().is_some_and(|(at, _)| *at <= now) {
            self.sealer = self.next.take().map(|(_, next)| next);
        }
    }

    pub(crate) fn poll_timeout(&self) -> Option<Duration> {
        let switch = self.next.as_ref().map(|(at, _)| *at);
        self.opener.poll_timeout().into_iter().chain(switch).min()
    }

    pub(crate) fn sending_epoch(&self) -> Option<u64> {
        self.sealer.as_ref().map(|sealer| sealer.epoch().0)
    }

    pub(crate) fn seal(
        &mut self,
        now: Duration,
        track: Track,
        codec: Codec,
        frame: &[u8],
    ) -> Result<Vec<u8>, NotSealed> {
        self.handle_timeout(now);
        if self.own.is_some_and(|own| self.muted.contains(&(own, track.source))) {
            return Err(NotSealed::Muted);
        }
        let sealer = self.sealer.as_mut().ok_or(NotSealed::NotReady)?;
        sealer.seal(track, codec, frame).map_err(NotSealed::Frame)
    }

    pub(crate) fn open(
        &mut self,
        now: Duration,
        expected: Expected,
        sealed: &[u8],
    ) -> Result<Opened, Dropped> {
        self.handle_timeout(now);
        let opened = if self.muted.contains(&(expected.leaf, expected.source)) {
            Err(Dropped::Muted)
        } else {
            self.opener.open(now, expected, sealed).map_err(Dropped::Frame)
        };
        if let Err(reason) = opened {
            *self.drops.entry(reason).or_default() += 1;
        }
        opened
    }

    pub(crate) const fn drops(&self) -> &BTreeMap<Dropped, u64> {
        &self.drops
    }
}

/// Why a frame of one's own is not sent.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum NotSealed {
    /// The frame.
    #[error(transparent)]
    Frame(SealError),
    /// A host muted this.
    #[error("a host muted this")]
    Muted,
    /// Not in the group.
    #[error("this device is not in the meeting")]
    NotInGroup,
    /// The first keys are not in use yet.
    #[error("the keys are not in use yet")]
    NotReady,
    /// Sending has stopped: see the session's state.
    #[error("sending has stopped")]
    Stopped,
}

/// Why a frame of another's is not played.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd, thiserror::Error)]
pub enum Dropped {
    /// The frame.
    #[error(transparent)]
    Frame(OpenError),
    /// A host muted its sender.
    #[error("a host muted the sender")]
    Muted,
    /// Not in the group.
    #[error("this device is not in the meeting")]
    NotInGroup,
}
