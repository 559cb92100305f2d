use std::sync::Arc;
use std::time::{Duration, Instant};

use conclave_frame::Codec;
use conclave_model::TrackSource;

use crate::media::{Layer, MediaFrame};
use crate::picture::is_keyframe;

/// Encoded media to be published in a loop: sound, or a picture in one or more simulcast layers.
#[derive(Clone, Debug)]
pub struct Clip {
    /// One for sound; for a picture, lowest layer first.
    layers: Vec<Vec<Arc<[u8]>>>,
    /// From one frame to the next.
    period: Duration,
    kind: ClipKind,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum ClipKind {
    Opus,
    Vp8,
}

impl Clip {
    /// Reads a clip from IVF files, one a layer, lowest first.
    ///
    /// # Errors
    ///
    /// [`ClipError`] names what does not fit: the layers must agree in codec, rate, number of
    /// frames and where the key frames are, and start with one.
    pub fn from_ivf(layers: &[&[u8]]) -> Result<Self, ClipError> {
        let mut files = layers.iter().map(|file| Ivf::parse(file));
        let first = files.next().ok_or(ClipError::Empty)??;
        let mut clip = Self { layers: vec![first.frames], period: first.period, kind: first.kind };
        for file in files {
            let file = file?;
            let fits = file.period == clip.period && file.kind == clip.kind;
            let keys =
                |frames: &[Arc<[u8]>]| frames.iter().map(|f| is_keyframe(Codec::Vp8, f)).collect();
            let same_keys = clip.layers.first().is_some_and(|lowest| {
                let (a, b): (Vec<_>, Vec<_>) = (keys(lowest), keys(&file.frames));
                clip.kind == ClipKind::Opus || a == b
            });
            if !fits || !same_keys {
                return Err(ClipError::Mismatch);
            }
            clip.layers.push(file.frames);
        }
        let lowest = clip.layers.first().ok_or(ClipError::Empty)?;
        match lowest.first() {
            None => Err(ClipError::Empty),
            Some(frame) if clip.kind == ClipKind::Vp8 && !is_keyframe(Codec::Vp8, frame) => {
                Err(ClipError::NoKeyframe)
            }
            Some(_) => Ok(clip),
        }
    }

    /// How many frames one loop has.
    pub fn frames(&self) -> usize {
        self.layers.first().map_or(0, Vec::len)
    }

    /// From one frame to the next.
    pub const fn period(&self) -> Duration {
        self.period
    }
}

/// Plays a [`Clip`] in a loop: says when the next frame is due and hands it out.
#[derive(Clone, Debug)]
pub struct Player {
    clip: Clip,
    source: TrackSource,
    started_at: Instant,
    /// Frames handed out since the start.
    played: u32,
    /// Place in the loop of the next frame.
    next: usize,
}

impl Player {
    /// Starts a clip at `now`.
    pub const fn new(clip: Clip, source: TrackSource, now: Instant) -> Self {
        Self { clip, source, started_at: now, played: 0, next: 0 }
    }

    /// When the next frame is due.
    pub fn due_at(&self) -> Instant {
        self.started_at + self.clip.period * self.played
    }

    /// The frames that are due at `now`, one a layer, or none if it is too early.
    ///
    /// A player that was not asked in time skips what it missed: it does not send a burst.
    pub fn poll(&mut self, now: Instant) -> Vec<MediaFrame> {
        if now < self.due_at() {
            return Vec::new();
        }
        let late = now.saturating_duration_since(self.due_at());
        let missed = late.as_nanos() / self.clip.period.as_nanos().max(1);
        if missed >= 5 {
            self.played = self.played.saturating_add(u32::try_from(missed).unwrap_or(u32::MAX));
        }
        let time = self.clip.period * self.played;
        self.played = self.played.saturating_add(1);
        let place = self.next;
        self.next = (place + 1) % self.clip.frames().max(1);
        let several = self.clip.layers.len() > 1;
        self.clip
            .layers
            .iter()
            .zip(Layer::ALL)
            .filter_map(|(frames, layer)| {
                Some(MediaFrame {
                    source: self.source,
                    layer: several.then_some(layer),
                    time,
                    data: Arc::clone(frames.get(place)?),
                })
            })
            .collect()
    }

    /// Goes on with the next key frame of the loop, as an encoder does that is asked for one.
    pub fn skip_to_keyframe(&mut self) {
        let Some(lowest) = self.clip.layers.first() else { return };
        let ahead = (0..lowest.len()).map(|step| (self.next + step) % lowest.len());
        let key = ahead
            .into_iter()
            .find(|&at| lowest.get(at).is_some_and(|f| is_keyframe(Codec::Vp8, f)));
        self.next = key.unwrap_or(self.next);
    }
}

/// One file: a 32-byte header, then frames of a 4-byte length, an 8-byte time, and their bytes.
struct Ivf {
    kind: ClipKind,
    period: Duration,
    frames: Vec<Arc<[u8]>>,
}

impl Ivf {
    fn parse(file: &[u8]) -> Result<Self, ClipError> {
        let (header, mut rest) = file.split_first_chunk::<32>().ok_or(ClipError::Header)?;
        let kind = match (header.first_chunk(), header.get(8..12)) {
            (Some(b"DKIF"), Some(b"OPUS")) => ClipKind::Opus,
            (Some(b"DKIF"), Some(b"VP80")) => ClipKind::Vp8,
            _ => return Err(ClipError::Header),
        };
        let [.., r0, r1, r2, r3, s0, s1, s2, s3, _, _, _, _, _, _, _, _] = *header;
        let (rate, scale) =
            (u32::from_le_bytes([r0, r1, r2, r3]), u32::from_le_bytes([s0, s1, s2, s3]));
        let nanos = 1_000_000_000 * u64::from(scale);
        let period = nanos.checked_div(rate.into()).filter(|&p| p > 0).ok_or(ClipError::Header)?;

        let mut frames = Vec::new();
        while let Some((frame_header, after)) = rest.split_first_chunk::<12>() {
            let [l0, l1, l2, l3, ..] = *frame_header;
            let len = usize::try_from(u32::from_le_bytes([l0, l1, l2, l3])).unwrap_or(usize::MAX);
            let (frame, after) = after.split_at_checked(len).ok_or(ClipError::Truncated)?;
            frames.push(Arc::from(frame));
            rest = after;
        }
        if !rest.is_empty() {
            return Err(ClipError::Truncated);
        }
        Ok(Self { kind, period: Duration::from_nanos(period), frames })
    }
}

/// Why a file is not a clip.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum ClipError {
    /// There is no frame.
    #[error("there is no frame")]
    Empty,
    /// It does not start as an IVF file of VP8 or Opus with a frame rate does.
    #[error("not an IVF file of VP8 or Opus")]
    Header,
    /// The layers differ in codec, rate, number of frames or key frames.
    #[error("the layers differ in codec, rate, number of frames or key frames")]
    Mismatch,
    /// The first frame is not a key frame.
    #[error("the first frame is not a key frame")]
    NoKeyframe,
    /// It ends within a frame.
    #[error("the file ends within a frame")]
    Truncated,
}
