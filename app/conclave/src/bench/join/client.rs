//! One who joins: a native participant, as `conclave bot` runs it.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use anyhow::Context as _;
use conclave_client::{Drive, DriveError, Endpoint, Told, Trust};
use conclave_client_proto::{Clip, Config, Report, Sends, ViewPolicy};
use conclave_link::{LinkKeys, MeetingLink};
use conclave_model::TrackSource;
use conclave_wire::TilePriority;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::meeting::random;

/// A meeting to join.
pub(super) struct Meeting {
    pub(super) link: MeetingLink,
    pub(super) keys: LinkKeys,
    /// As the server hands it out.
    pub(super) constitution: String,
}

/// What a client has to do with media.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Media {
    /// It is in the group alone.
    None,
    /// It offers what the web client does, and sends nothing: muted, and its camera covered.
    Silent,
    /// The same, and it sends sound.
    Speaks,
}

/// A running client.
pub(super) struct Client {
    stop: watch::Sender<bool>,
    progress: watch::Receiver<Report>,
    running: JoinHandle<Result<Report, DriveError>>,
}

/// Receiving slots: for sound as many as are mixed at once, for pictures as many as a small window
/// shows tiles.
pub(super) const AUDIO_SLOTS: usize = 3;
pub(super) const VIDEO_SLOTS: usize = 4;

/// How long a client may take for anything.
const PATIENCE: Duration = Duration::from_secs(30);

/// From one packet of sound to the next: seldom, so that many can listen on one processor core.
pub(super) const SOUND_EVERY: Duration = Duration::from_millis(200);

impl Client {
    /// Starts to join a meeting.
    pub(super) fn start(meeting: &Meeting, media: Media) -> anyhow::Result<Self> {
        // One of its own, so that no TLS session is taken up again: people join from devices that
        // know nothing of each other.
        let endpoint = Endpoint::new(meeting.link.origin.clone(), &Trust::Loopback)?;
        let clips = match media {
            Media::None | Media::Silent => Vec::new(),
            Media::Speaks => vec![(TrackSource::Microphone, sound()?)],
        };
        let drive = Drive {
            endpoint,
            config: meeting.config(media)?,
            addresses: vec![IpAddr::V4(Ipv4Addr::LOCALHOST)],
            clips,
            say: None,
            report_every: None,
        };
        let (stop, stopped) = watch::channel(false);
        let (tell, progress) = watch::channel(Report::default());
        let running = tokio::spawn(drive.run(stopped, move |told| {
            if let Told::Progress(report) = told {
                tell.send_replace(report.clone());
            }
        }));
        Ok(Self { stop, progress, running })
    }

    /// Waits until it has come so far.
    pub(super) async fn reach(
        &mut self,
        what: &str,
        is: impl FnMut(&Report) -> bool,
    ) -> anyhow::Result<()> {
        let reached = timeout(PATIENCE, self.progress.wait_for(is)).await;
        let reached = reached.with_context(|| format!("a client waits in vain: {what}"))?;
        reached.map(drop).with_context(|| format!("a client's way ended before {what}"))
    }

    /// Waits until media flows.
    pub(super) async fn connect(&mut self) -> anyhow::Result<()> {
        self.reach("a media session", |report| report.media_connected_ms.is_some()).await
    }

    /// Waits until it has heard something.
    pub(super) async fn hear(&mut self) -> anyhow::Result<()> {
        self.reach("sound", |report| report.first_audio_frame_ms.is_some()).await
    }

    /// Leaves. Gives what it went through, and fails if it was not in any more.
    pub(super) async fn leave(self) -> anyhow::Result<Report> {
        self.stop.send_replace(true);
        self.running.await.context("a client panicked")?.context("a client did not stay")
    }
}

impl Meeting {
    fn config(&self, media: Media) -> anyhow::Result<Config> {
        let has_media = media != Media::None;
        let slots = |count| if has_media { count } else { 0 };
        let tiles = slots(VIDEO_SLOTS);
        Ok(Config {
            meeting: self.link.meeting,
            keys: self.keys.clone(),
            constitution: self.constitution.clone(),
            digest: self.link.policy_digest,
            host: None,
            name: "Somebody".to_owned(),
            admits: false,
            patience: None,
            sends: Sends { microphone: has_media, camera: has_media },
            audio_slots: slots(AUDIO_SLOTS),
            video_slots: tiles,
            view: ViewPolicy { tiles, width: 320, height: 180, priority: TilePriority::Tile },
            hands_out: false,
            relay: None,
            addresses: Vec::new(),
            seed: random()?,
            started_unix_s: 0,
        })
    }
}

/// Frames that look like Opus to a server, and are nothing that could be played.
fn sound() -> anyhow::Result<Clip> {
    const FRAME: [u8; 80] = [0xfc; 80];
    let mut file = Vec::new();
    file.extend(b"DKIF\0\0\x20\0OPUS\0\0\0\0");
    // So many frames in so many seconds.
    file.extend(1000_u32.to_le_bytes());
    file.extend(u32::try_from(SOUND_EVERY.as_millis())?.to_le_bytes());
    file.extend([1, 0, 0, 0, 0, 0, 0, 0]);
    file.extend(u32::try_from(FRAME.len())?.to_le_bytes());
    file.extend([0; 8]);
    file.extend(FRAME);
    Ok(Clip::from_ivf(&[&file])?)
}
