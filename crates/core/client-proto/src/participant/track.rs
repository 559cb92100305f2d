//! Media: sealed on its way out, opened on its way in.

use conclave_e2ee::NotSealed;
use conclave_frame::{Codec, Expected, Leaf, Source, Track};
use conclave_model::{MediaKind, TrackSource};

use crate::incoming::{Fate, Unopened};
use crate::io::{Event, Output};
use crate::media::{Layer, MediaFrame};
use crate::participant::{Participant, Publisher};
use crate::report::Report;

impl Participant {
    /// What it went through so far.
    pub fn report(&self) -> Report {
        let received = self.ledger.received().map(|received| {
            let known = self.known.get(&received.publication);
            let mut received = received.clone();
            received.participant = known.map(|publisher| publisher.participant);
            received.source = known.map(|publisher| publisher.source);
            received
        });
        Report {
            others: self.roster.len(),
            generations: self.generation,
            group: self.report_group(),
            received: received.collect(),
            opened_frames: self.incoming.opened(),
            dropped_frames: self.incoming.dropped(),
            ..self.report.clone()
        }
    }

    /// Seals a frame and sends it. What cannot be sealed is not sent.
    pub(super) fn publish(&mut self, frame: MediaFrame) {
        let Some(media) =
            self.media.as_mut().filter(|media| media.sends(frame.source, frame.layer))
        else {
            return;
        };
        let kind = frame.source.kind();
        let Some(track) = track(&frame) else { return };
        let data = match self.member.seal(self.now, track, codec(kind), &frame.data) {
            Ok(sealed) => sealed.into(),
            Err(reason) => {
                let unsealed = &mut self.report.published.unsealed_frames;
                *unsealed.entry(name_of(reason).to_owned()).or_default() += 1;
                return;
            }
        };
        if media.publish(self.now, &MediaFrame { data, ..frame }) {
            match kind {
                MediaKind::Audio => self.report.published.audio_frames += 1,
                MediaKind::Video => self.report.published.video_frames += 1,
            }
        }
    }

    /// Opens what came in: only frames of the very device and source that the slot is said to
    /// carry.
    pub(super) fn open_frames(&mut self) {
        let Some(media) = &mut self.media else { return };
        let (member, known, now) = (&mut self.member, &self.known, self.now);
        let fates = self.incoming.poll(now, |arrival| {
            let publication = media.publication(arrival.mid).ok_or(Unopened::Unassigned)?;
            let publisher = known.get(&publication).ok_or(Unopened::Unassigned)?;
            let leaf = Leaf::try_from(publisher.leaf).map_err(|_| Unopened::Unassigned)?;
            let expected =
                Expected { leaf, source: source(publisher.source), codec: arrival.codec };
            let opened = member.open(now, expected, &arrival.sealed);
            opened.map(|opened| opened.frame).map_err(Unopened::Dropped)
        });
        for fate in fates {
            match fate {
                Fate::Dropped(mid) => media.miss(now, mid),
                Fate::Opened(arrival, data) => {
                    media.count(now, &arrival, &data, &mut self.ledger);
                    let publisher = media.publication(arrival.mid).and_then(|id| known.get(&id));
                    if let Some(publisher) = publisher.filter(|_| self.config.hands_out) {
                        let Publisher { participant, source, .. } = *publisher;
                        let frame = Event::Frame { participant, source, data };
                        self.outputs.push_back(Output::Event(frame));
                    }
                }
            }
        }
    }
}

fn track(frame: &MediaFrame) -> Option<Track> {
    let layer = match frame.layer {
        None | Some(Layer::Quarter) => 0,
        Some(Layer::Half) => 1,
        Some(Layer::Full) => 2,
    };
    let layer = conclave_frame::Layer::try_from(layer).ok()?;
    Some(Track { source: source(frame.source), layer })
}

const fn source(source: TrackSource) -> Source {
    match source {
        TrackSource::Camera => Source::Camera,
        TrackSource::Microphone => Source::Microphone,
        TrackSource::Screen => Source::Screen,
        TrackSource::ScreenAudio => Source::ScreenAudio,
    }
}

/// The codec that a track is sent in.
const fn codec(kind: MediaKind) -> Codec {
    match kind {
        MediaKind::Audio => Codec::Opus,
        MediaKind::Video => Codec::Vp8,
    }
}

/// What reports call the reason.
const fn name_of(reason: NotSealed) -> &'static str {
    match reason {
        NotSealed::Frame(_) => "frame",
        NotSealed::Muted => "muted",
        NotSealed::NotInGroup => "notInGroup",
        NotSealed::NotReady => "notReady",
        NotSealed::Stopped => "stopped",
    }
}
