use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use conclave_call_proto::media::PublicationTrack;
use conclave_forward::{
    DescriptorIn, KeyframeInput, KeyframeOutput, KeyframeThrottle, LayerDemand, LayerId,
    LayerTracker, LiveLayers, PacketIn, PictureIds, PixelSize, TemplateStructure, Vp9Descriptor,
    layers_needed,
};
use conclave_model::{Mid, ParticipantId};
use smallvec::SmallVec;
use str0m::media::Rid;
use str0m::rtp::{RtpPacket, SharedRtp, Vp8Descriptor};

use crate::codec::{Codec, Counters};
use crate::relay::{NodeNumber, Stream};
use crate::session::Source;

/// A track that a peer publishes, and who gets it.
#[derive(Debug)]
pub(crate) struct Publication {
    owner: ParticipantId,
    track: PublicationTrack,
    /// Which of the owner's sessions it comes on.
    generation: Option<u32>,
    /// The simulcast layers, lowest first; none if there is one encoding only.
    rids: Vec<Rid>,
    /// The codec of its newest packet.
    codec: Option<Codec>,
    tracker: LayerTracker,
    structures: BTreeMap<LayerId, TemplateStructure>,
    throttle: KeyframeThrottle,
    /// Until when the sound that came has used up what it may take.
    sound_paid_until: Instant,
    /// How many of its layers are shown to anybody.
    demand: LayerDemand,
    /// The node whose peer publishes it, if that is another one.
    home: Option<NodeNumber>,
    /// How many of its layers other nodes have said that they show.
    shown_afar: Vec<(NodeNumber, u8)>,
    /// That node was told how many this one shows.
    is_shown_told: bool,
    /// What came since the last turn.
    arrivals: Vec<Arrival>,
    /// The slots that carry it: whose, and which.
    pub(crate) outlets: Vec<(ParticipantId, Mid)>,
}

/// A packet that waits to be put into the slots that carry its publication.
#[derive(Debug)]
pub(crate) struct Arrival {
    pub(crate) packet: Arc<SharedRtp>,
    pub(crate) input: PacketIn,
    pub(crate) codec: Codec,
    pub(crate) counters: Counters,
}

/// A video packet and what was read from its extensions and payload descriptor.
#[derive(Debug)]
pub(crate) struct VideoPacket {
    pub(crate) input: PacketIn,
    pub(crate) codec: Codec,
    pub(crate) counters: Counters,
    /// Its layer was not sent before, or not in this codec, or with it another one counts as dead.
    pub(crate) changes_layers: bool,
}

/// A packet's descriptor cannot be read, or its codec is unknown: nobody could tell frames in it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Malformed;

/// What the payload descriptor of a video packet says.
#[derive(Debug)]
struct Content {
    counters: Counters,
    starts_keyframe: bool,
    /// The counters; `None` where there is no descriptor.
    ids: Option<PictureIds>,
    /// The size of the pictures, if it tells.
    size: Option<PixelSize>,
}

impl Content {
    fn read(codec: Codec, payload: &[u8]) -> Result<Self, Malformed> {
        match codec {
            Codec::Opus => Err(Malformed),
            Codec::Vp8 => Ok(Self::read_vp8(payload)),
            Codec::Vp9 => Self::read_vp9(payload),
        }
    }

    /// Without a VP8 descriptor, the Dependency Descriptor may tell enough.
    fn read_vp8(payload: &[u8]) -> Self {
        let vp8 = Vp8Descriptor::parse(payload).ok();
        let ids = |vp8: Vp8Descriptor| PictureIds {
            picture_id: vp8.picture_id(),
            tl0_pic_idx: vp8.tl0_pic_idx(),
        };
        Self {
            counters: vp8.as_ref().map(Counters::of_vp8).unwrap_or_default(),
            starts_keyframe: vp8.is_some_and(|vp8| vp8.starts_keyframe(payload)),
            ids: vp8.map(ids),
            size: None,
        }
    }

    fn read_vp9(payload: &[u8]) -> Result<Self, Malformed> {
        let vp9 = match Vp9Descriptor::parse(payload) {
            Ok(vp9) => Some(vp9),
            // Padding.
            Err(_) if payload.is_empty() => None,
            Err(_) => return Err(Malformed),
        };
        Ok(Self {
            counters: vp9.as_ref().map(Counters::of_vp9).unwrap_or_default(),
            starts_keyframe: vp9.is_some_and(|vp9| vp9.starts_keyframe()),
            ids: vp9.map(|vp9| vp9.ids()),
            size: vp9.and_then(|vp9| vp9.size),
        })
    }
}

impl Publication {
    pub(crate) const fn new(owner: ParticipantId, track: PublicationTrack, now: Instant) -> Self {
        Self {
            owner,
            track,
            generation: None,
            rids: Vec::new(),
            codec: None,
            tracker: LayerTracker::new(),
            structures: BTreeMap::new(),
            throttle: KeyframeThrottle::new(now),
            sound_paid_until: now,
            demand: LayerDemand::new(1),
            home: None,
            shown_afar: Vec::new(),
            is_shown_told: false,
            arrivals: Vec::new(),
            outlets: Vec::new(),
        }
    }

    pub(crate) const fn owner(&self) -> ParticipantId {
        self.owner
    }

    pub(crate) const fn track(&self) -> PublicationTrack {
        self.track
    }

    /// The same, of a peer of another node.
    pub(crate) const fn afar(
        home: NodeNumber,
        owner: ParticipantId,
        track: PublicationTrack,
        now: Instant,
    ) -> Self {
        let mut publication = Self::new(owner, track, now);
        publication.home = Some(home);
        publication
    }

    /// The node whose peer publishes it, if that is another one.
    pub(crate) const fn home(&self) -> Option<NodeNumber> {
        self.home
    }

    /// Which of the owner's sessions it comes on, if it does yet.
    pub(crate) const fn generation(&self) -> Option<u32> {
        self.generation
    }

    /// The stream that it comes on, if there is one yet.
    pub(crate) fn stream(&self) -> Option<Stream> {
        self.generation.map(|generation| (generation, self.rids.clone()))
    }

    /// Takes note of the media section that it comes on, with the session's generation and the
    /// section's rids. Returns whether its packets count from elsewhere now.
    pub(crate) fn restart(&mut self, mid: Mid, stream: Option<Stream>, now: Instant) -> bool {
        let (generation, rids) = match stream {
            Some((generation, mut rids)) => {
                rids.truncate(MAX_LAYERS);
                (Some(generation), lowest_first(rids))
            }
            None => (None, Vec::new()),
        };
        if (self.track.mid, self.generation, &self.rids) == (mid, generation, &rids) {
            return false;
        }
        self.track.mid = mid;
        self.generation = generation;
        self.rids = rids;
        self.codec = None;
        self.tracker = LayerTracker::new();
        self.structures.clear();
        self.arrivals.clear();
        self.throttle = KeyframeThrottle::new(now);
        // Its publisher sends all of them until it is told. Of those of other nodes, nothing is shown here yet.
        let demanded = if self.home.is_none() { self.layers() } else { 0 };
        self.demand = LayerDemand::new(demanded);
        self.shown_afar.clear();
        self.is_shown_told = false;
        true
    }

    /// Takes a packet in. Returns whether it is the first one of this turn.
    pub(crate) fn arrive(&mut self, arrival: Arrival) -> bool {
        self.arrivals.push(arrival);
        self.arrivals.len() == 1
    }

    /// What came in this turn. Give the emptied list back.
    pub(crate) fn take_arrivals(&mut self) -> Vec<Arrival> {
        std::mem::take(&mut self.arrivals)
    }

    pub(crate) fn give_back(&mut self, emptied: Vec<Arrival>) {
        self.arrivals = emptied;
    }

    /// Whether a packet of sound with a payload of so many bytes may go out: sound takes no part
    /// in the allocation of bandwidth, so one that floods would take it from everybody's pictures.
    pub(crate) fn admits_sound(&mut self, now: Instant, payload: usize) -> bool {
        let bytes = u32::try_from(payload + PACKET_OVERHEAD).unwrap_or(u32::MAX);
        let paid_until = self.sound_paid_until.max(now) + SOUND_BYTE * bytes;
        let admitted = paid_until.saturating_duration_since(now) <= SOUND_BURST;
        if admitted {
            self.sound_paid_until = paid_until;
        }
        admitted
    }

    /// The codec that it comes in; `None` before its first packet.
    pub(crate) const fn codec(&self) -> Option<Codec> {
        self.codec
    }

    /// Reads a video packet, in the codec that its payload type stands for, and takes note of it.
    pub(crate) fn take_video(
        &mut self,
        now: Instant,
        source: Source,
        codec: Option<Codec>,
        packet: &RtpPacket,
    ) -> Result<VideoPacket, Malformed> {
        let layer = self.layer(source.rid).ok_or(Malformed)?;
        let codec = codec.ok_or(Malformed)?;
        let content = Content::read(codec, &packet.payload)?;
        let mut input = PacketIn {
            now,
            layer,
            seq: *packet.seq_no,
            timestamp: packet.header.timestamp,
            payload_len: packet.payload.len(),
            starts_keyframe: content.starts_keyframe,
            ids: content.ids,
            frame_number: None,
        };
        let mut size = content.size;
        match &packet.header.ext_vals.shared_value {
            Some(shared) => size = self.read_descriptor(&shared.bytes, &mut input).or(size),
            None if content.ids.is_none() && !packet.payload.is_empty() => return Err(Malformed),
            None => {}
        }

        let mut changes_layers = false;
        if !packet.payload.is_empty() {
            let before = self.codec.replace(codec);
            let others = self.tracker.record(now, layer, packet.payload.len(), size);
            changes_layers = others || before != self.codec;
        }
        if input.starts_keyframe {
            self.throttle.handle_input(now, KeyframeInput::KeyframeArrived { layer });
        }
        Ok(VideoPacket { input, codec, counters: content.counters, changes_layers })
    }

    /// Takes from a Dependency Descriptor what it says better than the payload descriptor.
    fn read_descriptor(&mut self, bytes: &[u8], input: &mut PacketIn) -> Option<PixelSize> {
        let known = self.structures.get(&input.layer);
        let descriptor = DescriptorIn::parse(bytes, known).ok()?;
        input.starts_keyframe = descriptor.starts_keyframe();
        input.frame_number = Some(descriptor.frame_number);
        let structure = descriptor.structure?;
        let size = structure.resolutions().last().copied();
        self.structures.insert(input.layer, structure);
        size
    }

    /// The layer of a rid, or of a packet without one where there is one encoding only.
    fn layer(&self, rid: Option<Rid>) -> Option<LayerId> {
        let index = match rid {
            Some(rid) => self.rids.iter().position(|known| *known == rid)?,
            None => 0,
        };
        u8::try_from(index).ok().map(LayerId)
    }

    fn rid(&self, layer: LayerId) -> Option<Rid> {
        self.rids.get(usize::from(layer.0)).copied()
    }

    /// How many layers it has, sent or not.
    fn layers(&self) -> u8 {
        u8::try_from(self.rids.len().max(1)).unwrap_or(u8::MAX)
    }

    /// How many of its layers, lowest first, a tile can use.
    pub(crate) fn layers_for(&self, tile: PixelSize) -> u8 {
        let sizes: SmallVec<[_; MAX_LAYERS]> =
            (0..self.layers()).map(|i| self.tracker.size(LayerId(i))).collect();
        layers_needed(&sizes, tile)
    }

    /// How many of its layers, lowest first, are to be encoded, if that is not all of them.
    pub(crate) fn demanded(&self) -> Option<u8> {
        Some(self.demand.layers()).filter(|layers| *layers < self.layers())
    }

    /// A slot shows so many of its layers from now on. Returns whether more are to be encoded.
    pub(crate) const fn demand_more(&mut self, layers: u8) -> bool {
        self.demand.raise(layers)
    }

    /// All slots together show so many of its layers. Returns whether the number to be encoded has
    /// changed.
    pub(crate) fn update_demand(&mut self, now: Instant, layers: u8) -> bool {
        self.demand.update(now, layers)
    }

    /// Another node shows so many of its layers. Returns whether more are to be encoded.
    pub(crate) fn shown_afar(&mut self, node: NodeNumber, layers: u8) -> bool {
        self.shown_afar.retain(|(known, _)| *known != node);
        self.shown_afar.push((node, layers));
        self.demand_more(layers)
    }

    /// Forgets what another node has said that it shows, and what it was told.
    pub(crate) fn forget_node(&mut self, node: NodeNumber) {
        self.shown_afar.retain(|(known, _)| *known != node);
        if self.home == Some(node) {
            self.is_shown_told = false;
        }
    }

    /// How many of its layers other nodes show at most: as many as are encoded, as long as one of them has
    /// not said.
    pub(crate) fn needed_afar(&self, mut nodes: impl Iterator<Item = NodeNumber>) -> u8 {
        let told = |node| self.shown_afar.iter().find(|(known, _)| *known == node);
        nodes
            .try_fold(0, |most, node| told(node).map(|(_, layers)| most.max(*layers)))
            .unwrap_or_else(|| self.demand.layers())
    }

    /// How many of its layers, lowest first, are shown to peers of this node, to be told to the node that
    /// has the publisher.
    pub(crate) const fn tell_shown(&mut self) -> u8 {
        self.is_shown_told = true;
        self.demand.layers()
    }

    /// Whether the node that has the publisher was told anything of the present stream.
    pub(crate) const fn was_shown_told(&self) -> bool {
        self.is_shown_told
    }

    /// The layers that are sent, lowest first.
    pub(crate) fn live(&self, now: Instant) -> LiveLayers {
        self.tracker.live(now)
    }

    /// A slot no longer carries it.
    pub(crate) fn detach(&mut self, participant: ParticipantId, slot: Mid) {
        self.outlets.retain(|outlet| *outlet != (participant, slot));
    }

    /// A slot needs a key frame of this layer.
    pub(crate) fn want_keyframe(&mut self, now: Instant, layer: LayerId) {
        self.throttle.handle_input(now, KeyframeInput::Request { layer });
    }

    /// The layers to ask for a key frame of by now.
    pub(crate) fn keyframes_due(&mut self, now: Instant) -> SmallVec<[LayerId; MAX_LAYERS]> {
        self.throttle.handle_input(now, KeyframeInput::Timeout);
        let mut due = SmallVec::new();
        while let KeyframeOutput::AskPublisher { layer } = self.throttle.poll_output() {
            due.push(layer);
        }
        due
    }

    /// Where the packets of a layer come from.
    pub(crate) fn source(&self, layer: LayerId) -> Source {
        Source { mid: self.track.mid, rid: self.rid(layer) }
    }
}

/// Simulcast layers of one publication. Browsers send three; each more costs memory and key frames,
/// so that further ones are not looked at.
const MAX_LAYERS: usize = 4;

/// How long a byte of sound takes of what a publication may send: 512 kbit/s, which is more than
/// Opus ever uses (RFC 6716 section 2.1.1).
const SOUND_BYTE: Duration = Duration::from_nanos(15_625);

/// How far sound may be ahead of that, after a network held it up.
const SOUND_BURST: Duration = Duration::from_secs(1);

/// What each packet takes besides its payload: about the headers of RTP, UDP and IP.
const PACKET_OVERHEAD: usize = 40;

/// Sorts rids from the smallest picture to the largest. Clients name them `q`, `h`, `f` (quarter,
/// half, full) or count them; other names are taken in the order of the offer.
fn lowest_first(mut rids: Vec<Rid>) -> Vec<Rid> {
    let known = |rid: &Rid| match &**rid {
        "q" | "0" => Some(0u8),
        "h" | "1" => Some(1),
        "f" | "2" => Some(2),
        _ => None,
    };
    if rids.iter().all(|rid| known(rid).is_some()) {
        rids.sort_by_key(known);
    }
    rids
}

#[cfg(test)]
mod tests {
    use conclave_model::{PublicationId, TrackSource};

    use super::*;

    #[test]
    fn more_layers_than_anybody_needs_are_not_looked_at() {
        #[expect(clippy::disallowed_methods, reason = "a test needs some instant to start from")]
        let start = Instant::now();
        let mid = Mid::new("0").unwrap();
        let source = TrackSource::Camera;
        let track = PublicationTrack { publication: PublicationId(5), source, mid };
        let rids: Vec<Rid> = ["a", "b", "c", "d", "e", "f"].map(Rid::from).into();

        let mut publication = Publication::new(ParticipantId(1), track, start);
        publication.restart(mid, Some((1, rids.clone())), start);

        let known: Vec<_> = rids.iter().filter_map(|rid| publication.layer(Some(*rid))).collect();
        assert_eq!(known, [LayerId(0), LayerId(1), LayerId(2), LayerId(3)]);
    }

    #[test]
    fn sound_that_floods_is_cut_to_what_a_microphone_may_send() {
        #[expect(clippy::disallowed_methods, reason = "a test needs some instant to start from")]
        let start = Instant::now();
        let mid = Mid::new("0").unwrap();
        let source = TrackSource::Microphone;
        let track = PublicationTrack { publication: PublicationId(5), source, mid };

        // Ten seconds of the best Opus, then as many of packets as large as can be.
        let mut publication = Publication::new(ParticipantId(1), track, start);
        let at = |n: u32| start + Duration::from_millis(20) * n;
        assert!((0..500).all(|n| publication.admits_sound(at(n), 1200)));
        let flood = (500_000..1_000_000).step_by(50);
        let admitted = flood
            .filter(|n| publication.admits_sound(start + Duration::from_micros(20) * *n, 1200))
            .count();

        let per_second = 64_000 / 1240;
        assert!((10 * per_second..=12 * per_second).contains(&admitted), "{admitted}");
    }
}
