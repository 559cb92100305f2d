use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};

use conclave_client_proto::{Layer, MediaFrame};
use conclave_model::{Bitrate, MediaKind, TrackSource};

/// What a device's camera makes: three layers, each half of the next one's width and height.
#[derive(Clone, Copy, Debug)]
pub struct CameraSetup {
    /// Frames a second.
    pub fps: u32,
    /// The bitrates of the layers, lowest first.
    pub layers: [Bitrate; 3],
}

impl CameraSetup {
    /// What browsers send of 1280x720.
    pub const HD: Self =
        Self { fps: 30, layers: [Bitrate::kbps(150), Bitrate::kbps(500), Bitrate::kbps(1500)] };

    /// Little enough for dozens of them.
    pub const SMALL: Self =
        Self { fps: 10, layers: [Bitrate::kbps(60), Bitrate::kbps(120), Bitrate::kbps(240)] };
}

/// What pictures and sounds are filled with.
const PICTURE: u8 = 0xaa;
const SOUND: u8 = 0x55;

/// Whether a datagram shows something of a picture or a sound. By chance it does not: not in all
/// simulations ever.
pub(crate) fn shows_media(datagram: &[u8]) -> bool {
    let is_run = |bytes: &[u8]| match bytes {
        [first @ (PICTURE | SOUND), rest @ ..] => rest.iter().all(|byte| byte == first),
        _ => false,
    };
    datagram.windows(16).any(is_run)
}

/// Makes VP8 frames that have the sizes of real ones: true headers, nothing behind them.
#[derive(Debug)]
pub(crate) struct Camera {
    setup: CameraSetup,
    started_at: Instant,
    frames: u32,
    keyframe_wanted: bool,
    /// How many of its layers it sends, lowest first.
    pub(crate) layers: usize,
}

impl Camera {
    pub(crate) const fn new(setup: CameraSetup, now: Instant) -> Self {
        let layers = Layer::ALL.len();
        Self { setup, started_at: now, frames: 0, keyframe_wanted: true, layers }
    }

    pub(crate) fn due_at(&self) -> Instant {
        self.started_at + self.time()
    }

    /// As an encoder of browsers does, it answers with key frames on all layers.
    pub(crate) const fn want_keyframe(&mut self) {
        self.keyframe_wanted = true;
    }

    pub(crate) fn next(&mut self) -> Vec<MediaFrame> {
        let time = self.time();
        let keyframe = std::mem::take(&mut self.keyframe_wanted);
        let number = self.frames;
        self.frames += 1;
        Layer::ALL
            .into_iter()
            .zip(self.setup.layers)
            .zip([(320u16, 180u16), (640, 360), (1280, 720)])
            .take(self.layers)
            .map(|((layer, rate), size)| MediaFrame {
                source: TrackSource::Camera,
                layer: Some(layer),
                time,
                data: self.picture(number, rate, size, keyframe),
            })
            .collect()
    }

    /// When it makes which frame.
    pub(crate) fn clock(&self) -> FrameClock {
        FrameClock {
            started_at: self.started_at,
            interval: Duration::from_secs(1) / self.setup.fps,
            made: self.frames,
        }
    }

    /// Width and height stand in a key frame's header (RFC 6386 section 9.1).
    fn picture(
        &self,
        number: u32,
        rate: Bitrate,
        (width, height): (u16, u16),
        keyframe: bool,
    ) -> Arc<[u8]> {
        let usual = rate.as_bps() / 8 / u64::from(self.setup.fps);
        let len = usize::try_from(if keyframe { usual * 4 } else { usual }).unwrap_or_default();
        let mut data = if keyframe {
            let ([w0, w1], [h0, h1]) = (width.to_le_bytes(), height.to_le_bytes());
            vec![0x10, 0, 0, 0x9d, 0x01, 0x2a, w0, w1, h0, h1]
        } else {
            vec![0x11, 0, 0]
        };
        data.extend(number.to_be_bytes());
        data.resize(len.max(data.len()), PICTURE);
        data.into()
    }

    fn time(&self) -> Duration {
        Duration::from_secs(1) * self.frames / self.setup.fps
    }
}

/// Makes packets of the size that Opus makes of speech, each of 20 ms.
#[derive(Debug)]
pub(crate) struct Microphone {
    started_at: Instant,
    frames: u32,
    /// Else it sends nothing, as a browser's discontinuous transmission.
    pub(crate) speaks: bool,
}

impl Microphone {
    pub(crate) const fn new(now: Instant) -> Self {
        Self { started_at: now, frames: 0, speaks: true }
    }

    pub(crate) fn due_at(&self) -> Instant {
        self.started_at + self.time()
    }

    pub(crate) fn next(&mut self) -> Option<MediaFrame> {
        let time = self.time();
        let number = self.frames;
        self.frames += 1;
        // The first byte says: one CELT frame of 20 ms, full band (RFC 6716 section 3.1).
        let mut data = vec![0xf8];
        data.extend(number.to_be_bytes());
        data.resize(80, SOUND);
        let frame =
            MediaFrame { source: TrackSource::Microphone, layer: None, time, data: data.into() };
        self.speaks.then_some(frame)
    }

    /// When it makes which frame.
    pub(crate) const fn clock(&self) -> FrameClock {
        FrameClock { started_at: self.started_at, interval: AUDIO_FRAME, made: self.frames }
    }

    fn time(&self) -> Duration {
        AUDIO_FRAME * self.frames
    }
}

/// How much sound is in a packet.
pub(crate) const AUDIO_FRAME: Duration = Duration::from_millis(20);

/// When a camera or microphone makes which frame.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FrameClock {
    started_at: Instant,
    interval: Duration,
    /// How many it has made.
    made: u32,
}

impl FrameClock {
    /// When it makes a frame.
    pub(crate) fn time_of(&self, frame: u32) -> Instant {
        self.started_at + self.interval * frame
    }

    /// The frames that it made from one time up to another.
    pub(crate) fn between(&self, from: Instant, to: Instant) -> Range<u32> {
        let number = |at: Instant| (0..self.made).find(|n| self.time_of(*n) >= at);
        number(from).unwrap_or(self.made)..number(to).unwrap_or(self.made)
    }
}

/// Which frame of its encoder it is, as its bytes say.
pub(crate) fn frame_number(source: TrackSource, data: &[u8]) -> Option<u32> {
    let header = match (source.kind(), data.first()?) {
        (MediaKind::Audio, _) => 1,
        // Bit 0 of a VP8 frame says whether it is none of the key frames (RFC 6386 section 9.1).
        (MediaKind::Video, first) if first & 1 == 0 => 10,
        (MediaKind::Video, _) => 3,
    };
    let number = data.get(header..header + 4)?;
    Some(u32::from_be_bytes(number.try_into().ok()?))
}
