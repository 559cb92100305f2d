//! `conclave bot`: a native participant.

mod clips;

use std::io::Write as _;
use std::time::Duration;

use anyhow::Context as _;
use clap::ValueEnum;
use conclave_client::{Drive, Told, bind_addresses};
use conclave_client_proto::{Config, EndReason, Report, Sends, ViewPolicy};
use conclave_link::{LinkKeys, MeetingLink};
use conclave_model::TrackSource;
use conclave_telemetry::{LogConfig, LogFormat, init_log};
use conclave_wire::{RelayProtocol, TilePriority};
use serde::Serialize;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::meeting::{TrustArgs, random};

/// Receiving slots for sound: as many as are mixed at once.
const AUDIO_SLOTS: usize = 3;

/// Arguments of `conclave bot`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Exit status: 0 if it stayed until it left; 3 if it was turned away, 4 if \
    nobody let it in for as long as it waited, 5 if it was removed; 1 for anything else.")]
pub(crate) struct Args {
    /// The meeting's link, a guest's or a host's, or `-` to read it from standard input, where no other user of this
    /// machine sees it.
    link: String,
    /// How many participants join.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=1000))]
    count: u16,
    /// Display name. Numbered if there are several.
    #[arg(long, default_value = "Bot")]
    name: String,
    /// Let everybody in who knocks. It needs a host's link, or a host who appoints it.
    #[arg(long)]
    admit: bool,
    /// Write this to all once inside.
    #[arg(long, value_name = "TEXT")]
    say: Option<String>,
    /// Print what others write, on standard error.
    #[arg(long)]
    print_chat: bool,
    /// Give up after so many seconds at the door. By default it waits to be let in for ever.
    #[arg(long, value_name = "SECONDS")]
    patience: Option<f64>,
    /// Publish nothing.
    #[arg(long)]
    listen_only: bool,
    /// Publish no picture.
    #[arg(long)]
    no_video: bool,
    /// Publish no sound.
    #[arg(long)]
    no_audio: bool,
    /// The picture's background. By default each participant has the next one.
    #[arg(long)]
    colour: Option<Colour>,
    /// Leave after so many seconds. By default it stays until it is interrupted.
    #[arg(long, value_name = "SECONDS")]
    duration: Option<f64>,
    /// How many pictures it watches.
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u16).range(0..=64))]
    tiles: u16,
    /// Size of the tiles it watches them in.
    #[arg(long, default_value = "640x360", value_name = "WIDTHxHEIGHT", value_parser = parse_size)]
    tile_size: (u16, u16),
    /// From one participant's start to the next one's, in milliseconds.
    #[arg(long, default_value_t = 50, value_name = "MS")]
    stagger_ms: u64,
    /// Report in JSON: one line a participant.
    #[arg(long)]
    json: bool,
    /// Report every so many seconds, too.
    #[arg(long, value_name = "SECONDS")]
    report_every: Option<f64>,
    /// Send and receive media through the server's TURN server alone, reached so.
    #[arg(long, value_name = "WAY")]
    turn: Option<TurnArg>,
    #[command(flatten)]
    trust: TrustArgs,
}

/// What carries TURN.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum TurnArg {
    Tcp,
    Tls,
    Udp,
}

impl From<TurnArg> for RelayProtocol {
    fn from(arg: TurnArg) -> Self {
        match arg {
            TurnArg::Tcp => Self::Tcp,
            TurnArg::Tls => Self::Tls,
            TurnArg::Udp => Self::Udp,
        }
    }
}

/// Background of the picture that a bot publishes.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(crate) enum Colour {
    Red,
    Green,
    Blue,
}

/// Joins the meeting and stays until it is told to stop.
pub(crate) async fn run(args: Args) -> anyhow::Result<()> {
    let level = std::env::var("RUST_LOG").unwrap_or_else(|_| "warn".to_owned());
    init_log(&LogConfig { format: LogFormat::Text, level })?;
    let link = read_link(&args.link)?;
    let endpoint = args.trust.endpoint(link.origin.clone())?;
    let keys = LinkKeys::of(&link);
    let addresses = bind_addresses(&link.origin).context("no network address")?;
    let report_every = args.report_every.map(seconds).transpose()?;
    let meeting = endpoint.meeting(&link.meeting, &keys.token).await;
    let constitution = meeting.context("the server does not show the meeting")?.policy;

    let (stop, stopped) = watch::channel(false);
    let mut bots = JoinSet::new();
    for number in 0..args.count {
        let name = match args.count {
            1 => args.name.clone(),
            _ => format!("{} {}", args.name, number + 1),
        };
        let drive = Drive {
            endpoint: endpoint.clone(),
            config: config(&args, &link, &keys, &name, &constitution)?,
            addresses: addresses.clone(),
            clips: clips(&args, number)?,
            say: args.say.clone(),
            report_every,
        };
        let start_after = Duration::from_millis(args.stagger_ms) * u32::from(number);
        let bot = Bot { name, json: args.json, print_chat: args.print_chat };
        bots.spawn(bot.run(drive, start_after, stopped.clone()));
    }
    drop(stopped);

    let mut failed = Vec::new();
    let leave = interrupted(args.duration.map(seconds).transpose()?);
    tokio::pin!(leave);
    loop {
        tokio::select! {
            bot = bots.join_next() => match bot {
                None => break,
                Some(bot) => failed.extend(bot.context("a participant panicked")??),
            },
            // Sent once: from then on the participants leave one by one.
            stopping = &mut leave, if !*stop.borrow() => {
                stopping?;
                stop.send_replace(true);
            }
        }
    }
    match failed.first() {
        None => Ok(()),
        Some(&reason) => Err(Failed { count: failed.len(), of: args.count, reason }.into()),
    }
}

/// Not all participants stayed until they were to leave.
#[derive(Debug, thiserror::Error)]
#[error("{count} of {of} participants did not come in, or did not stay: {reason}")]
pub(crate) struct Failed {
    count: usize,
    of: u16,
    /// Why the first one failed.
    reason: EndReason,
}

impl Failed {
    /// The exit status that says why.
    pub(crate) const fn exit_code(&self) -> u8 {
        match self.reason {
            EndReason::Denied => 3,
            EndReason::Waited => 4,
            EndReason::Removed => 5,
            EndReason::Forked
            | EndReason::Left
            | EndReason::NoMedia(_)
            | EndReason::NotIn(_)
            | EndReason::NotRelayed
            | EndReason::Over
            | EndReason::Refused(_)
            | EndReason::Untrusted(_) => 1,
        }
    }
}

fn read_link(text: &str) -> anyhow::Result<MeetingLink> {
    let mut line = String::new();
    let text = match text {
        "-" => {
            std::io::stdin().read_line(&mut line).context("no link on standard input")?;
            &line
        }
        text => text,
    };
    text.parse().context("this is not a meeting's link")
}

/// One participant and how it is reported on.
struct Bot {
    name: String,
    json: bool,
    print_chat: bool,
}

impl Bot {
    /// Runs it to its end. Why it ended, unless it was told to leave.
    async fn run(
        self,
        drive: Drive,
        start_after: Duration,
        mut stopped: watch::Receiver<bool>,
    ) -> anyhow::Result<Option<EndReason>> {
        tokio::select! {
            () = tokio::time::sleep(start_after) => {}
            _ = stopped.wait_for(|&stopped| stopped) => return Ok(None),
        }
        // If standard output is gone, nobody wants to know.
        let tell = |told: Told<'_>| match told {
            Told::Chat { name, text } if self.print_chat => {
                drop(writeln!(std::io::stderr(), "{name}: {text}"));
            }
            Told::Chat { .. } | Told::Progress(_) => {}
            Told::Report(report) => drop(self.print(report, false, None)),
        };
        match drive.run(stopped, tell).await {
            Ok(report) => self.print(&report, true, None).map(|()| None),
            Err(error) => {
                let reason = error.reason;
                self.print(&error.report, true, Some(reason.to_string())).map(|()| Some(reason))
            }
        }
    }

    fn print(&self, report: &Report, last: bool, error: Option<String>) -> anyhow::Result<()> {
        let text = if self.json {
            let line = Line { name: &self.name, last, error, report };
            serde_json::to_string(&line)?
        } else {
            summary(&self.name, report, error.as_deref())
        };
        writeln!(std::io::stdout(), "{text}").context("standard output is gone")
    }
}

/// One line of `--json`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Line<'a> {
    name: &'a str,
    /// Nothing follows on this participant.
    #[serde(rename = "final")]
    last: bool,
    /// Why it was not let in, or not any longer.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    #[serde(flatten)]
    report: &'a Report,
}

fn summary(name: &str, report: &Report, error: Option<&str>) -> String {
    use std::fmt::Write as _;

    let since_start =
        |ms: Option<u64>| ms.map_or_else(|| "never".to_owned(), |ms| format!("{ms} ms"));
    let mut text = format!(
        "{name}: {}, at the door {}, let in {}, first sound {}, first picture {}, {} others, {} reconnections",
        report.group.state,
        since_start(report.joined_ms),
        since_start(report.admitted_ms),
        since_start(report.first_audio_frame_ms),
        since_start(report.first_video_frame_ms),
        report.others,
        report.resumed + report.rejoined,
    );
    if let Some(error) = error {
        text.push_str(": ");
        text.push_str(error);
    }
    for (reason, frames) in &report.dropped_frames {
        // Writing to a string does not fail.
        let _ = write!(text, "\n  {frames} frames not opened: {reason}");
    }
    for track in &report.received {
        let source = track.source.map_or_else(|| "track".to_owned(), |s| format!("{s:?}"));
        // Writing to a string does not fail.
        let _ = write!(
            text,
            "\n  {} of {}: {} frames, {} lost packets, {} key frames, {} layer switches, longest gap {} ms",
            source.to_lowercase(),
            track.participant.map_or_else(|| "nobody".to_owned(), |p| p.to_string()),
            track.frames,
            track.lost_packets,
            track.keyframes,
            track.layer_switches,
            track.longest_gap_ms,
        );
    }
    text
}

fn config(
    args: &Args,
    link: &MeetingLink,
    keys: &LinkKeys,
    name: &str,
    constitution: &str,
) -> anyhow::Result<Config> {
    let (width, height) = args.tile_size;
    let tiles = usize::from(args.tiles);
    Ok(Config {
        meeting: link.meeting,
        keys: keys.clone(),
        constitution: constitution.to_owned(),
        digest: link.policy_digest,
        host: link.host.clone(),
        name: name.to_owned(),
        admits: args.admit,
        patience: args.patience.map(seconds).transpose()?,
        sends: sends(args),
        audio_slots: AUDIO_SLOTS,
        video_slots: tiles,
        view: ViewPolicy { tiles, width, height, priority: TilePriority::Tile },
        hands_out: false,
        relay: args.turn.map(RelayProtocol::from),
        addresses: Vec::new(),
        seed: random()?,
        started_unix_s: 0,
    })
}

const fn sends(args: &Args) -> Sends {
    Sends {
        microphone: !args.no_audio && !args.listen_only,
        camera: !args.no_video && !args.listen_only,
    }
}

fn clips(
    args: &Args,
    number: u16,
) -> anyhow::Result<Vec<(TrackSource, conclave_client_proto::Clip)>> {
    let Sends { microphone, camera } = sends(args);
    let mut clips = Vec::new();
    if microphone {
        clips.push((TrackSource::Microphone, clips::tone()?));
    }
    if camera {
        let colour = args.colour.unwrap_or(match number % 3 {
            0 => Colour::Red,
            1 => Colour::Green,
            _ => Colour::Blue,
        });
        clips.push((TrackSource::Camera, clips::picture(colour)?));
    }
    Ok(clips)
}

/// Waits for an interrupt, a request to terminate, or the end of the time given.
async fn interrupted(duration: Option<Duration>) -> anyhow::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};

    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let over = async {
        match duration {
            None => std::future::pending().await,
            Some(duration) => tokio::time::sleep(duration).await,
        }
    };
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
        () = over => {}
    }
    Ok(())
}

fn seconds(seconds: f64) -> anyhow::Result<Duration> {
    let duration = Duration::try_from_secs_f64(seconds).ok().filter(|d| !d.is_zero());
    duration.filter(|d| d.as_secs() < 1_000_000_000).context("not a number of seconds above zero")
}

fn parse_size(text: &str) -> Result<(u16, u16), String> {
    let parsed = text.split_once('x').and_then(|(width, height)| {
        let side = |side: &str| side.parse::<u16>().ok().filter(|&side| side > 0);
        Some((side(width)?, side(height)?))
    });
    parsed.ok_or_else(|| "expected WIDTHxHEIGHT, such as 640x360".to_owned())
}
