//! What a call does with packets.

use std::sync::Arc;
use std::time::Instant;

use conclave_call_proto::media::{MediaEvent, PeerId};
use conclave_forward::{DropReason, LayerId, PacketIn, SpeakerDetector, Verdict};
use conclave_model::{MediaKind, Mid, ParticipantId, PublicationId, TrackSource};
use smallvec::SmallVec;
use str0m::rtp::{Forward, RtpPacket};

use crate::Transport;
use crate::call::{Call, policy};
use crate::codec::{Codec, Counters};
use crate::fanout;
use crate::publication::{Arrival, VideoPacket};
use crate::relay::RelayedPacket;
use crate::session::{Session, SessionEvent, Source};
use crate::shared::{Shared, Turn};
use crate::slots::Outlet;

impl Call {
    pub(super) fn handle_event(
        &mut self,
        now: Instant,
        shared: &mut Shared,
        participant: ParticipantId,
        event: SessionEvent,
    ) {
        let Some(peer) = self.peers.get_mut(&participant) else { return };
        match event {
            SessionEvent::Connected => {
                let Some(session) = &peer.session else { return };
                let (peer, generation) = (peer.id(), session.generation());
                shared.events.push_back(MediaEvent::Connected { peer, generation });
                self.allocate(now, shared, participant);
                self.request_keyframes_for(now, shared, participant);
            }
            SessionEvent::Estimate(estimate) => peer.set_estimate(estimate),
            SessionEvent::KeyframeWanted(mid) => {
                self.handle_keyframe_wanted(now, shared, participant, mid);
            }
            SessionEvent::Lost => {
                let (peer_id, quality) = (peer.id(), peer.quality.lose(now));
                shared
                    .events
                    .extend(quality.map(|quality| MediaEvent::Quality { peer: peer_id, quality }));
            }
            SessionEvent::Moved(address) => {
                let (id, limit) = (peer.id(), shared.config.limits.addresses);
                shared.demux.add_address(Transport::Udp, address, id);
                let forgotten = peer
                    .session
                    .as_mut()
                    .and_then(|session| session.add_address(Transport::Udp, address, limit));
                if let Some((transport, address)) = forgotten {
                    shared.demux.remove_address(transport, address, id);
                }
            }
            SessionEvent::Packet(source, packet) => {
                self.handle_packet(now, shared, participant, source, packet);
            }
            SessionEvent::Regained => {
                peer.restart_outlets();
                self.allocate(now, shared, participant);
                self.request_keyframes_for(now, shared, participant);
            }
            SessionEvent::Ssrc(ssrc) => shared.demux.add_ssrc(ssrc, peer.id()),
            SessionEvent::Stats(stats) => {
                let (peer_id, starved) = (peer.id(), peer.is_starved());
                let quality = peer.quality.handle_stats(now, &stats, starved);
                shared
                    .events
                    .extend(quality.map(|quality| MediaEvent::Quality { peer: peer_id, quality }));
            }
        }
    }

    /// A subscriber lost the thread in one of its slots.
    fn handle_keyframe_wanted(
        &mut self,
        now: Instant,
        shared: &mut Shared,
        participant: ParticipantId,
        mid: Mid,
    ) {
        let outlet = self.peers.get(&participant).and_then(|peer| peer.outlets.get(&mid));
        let Some(outlet) = outlet else { return };
        let layer = outlet.rewriter.current().or_else(|| outlet.rewriter.target());
        let publication = outlet.publication.and_then(|id| self.publications.get_mut(&id));
        if let (Some(layer), Some(publication)) = (layer, publication) {
            publication.want_keyframe(now, layer);
            policy::ask_publisher(now, shared, self.id, publication, &mut self.peers);
        }
    }

    fn handle_packet(
        &mut self,
        now: Instant,
        shared: &mut Shared,
        participant: ParticipantId,
        source: Source,
        packet: Box<RtpPacket>,
    ) {
        shared.stats.packets_received += 1;
        let Some(peer) = self.peers.get(&participant) else { return };
        let Some(track) = peer.publication_at(source.mid) else {
            shared.stats.drops.unpublished += 1;
            return;
        };
        let Some(session) = &peer.session else { return };
        let (codec, generation) = (session.codec(packet.header.payload_type), session.generation());
        let is_taken = self.take_packet(now, shared, track.publication, source, codec, &packet);
        if is_taken && self.others().next().is_some() {
            let (publication, packet) = (track.publication, Arc::new(*packet));
            let relayed = RelayedPacket { publication, generation, source, codec, packet };
            self.relay_packet(shared, &relayed);
        }
    }

    /// Takes a packet of a publication in, to be put into the slots that carry it. Returns whether it is
    /// of any use.
    pub(super) fn take_packet(
        &mut self,
        now: Instant,
        shared: &mut Shared,
        id: PublicationId,
        source: Source,
        codec: Option<Codec>,
        packet: &RtpPacket,
    ) -> bool {
        let Some(publication) = self.publications.get_mut(&id) else { return false };
        let track = publication.track();
        match track.source.kind() {
            MediaKind::Audio => {
                if !publication.admits_sound(now, packet.payload.len()) {
                    shared.stats.drops.excess += 1;
                    return false;
                }
                if track.source == TrackSource::Microphone {
                    note_level(&mut self.speakers, now, publication.owner(), packet);
                }
                let input = PacketIn {
                    now,
                    layer: LayerId(0),
                    seq: *packet.seq_no,
                    timestamp: packet.header.timestamp,
                    payload_len: packet.payload.len(),
                    starts_keyframe: false,
                    ids: None,
                    frame_number: None,
                };
                let (codec, counters) = (Codec::Opus, Counters::default());
                let packet = fanout::share(packet, counters);
                let arrival = Arrival { packet, input, codec, counters };
                shared.pending_forwards += publication.outlets.len();
                if publication.arrive(arrival) {
                    shared.arrived.push(Turn::new(self.id, id));
                }
            }
            MediaKind::Video => {
                let Ok(video) = publication.take_video(now, source, codec, packet) else {
                    shared.stats.drops.malformed += 1;
                    return false;
                };
                let VideoPacket { input, codec, counters, .. } = video;
                let packet = fanout::share(packet, counters);
                let arrival = Arrival { packet, input, codec, counters };
                shared.pending_forwards += publication.outlets.len();
                if publication.arrive(arrival) {
                    shared.arrived.push(Turn::new(self.id, id));
                }
                if video.changes_layers {
                    self.allocate_subscribers(now, shared, id);
                }
            }
        }
        true
    }

    /// Puts what has arrived of a publication into the next slot that carries it, and returns how
    /// to go on, if there are more.
    ///
    /// Slot by slot, not packet by packet: what is known of a session is then in the processor's
    /// cache for all packets but the first. And one slot at a time, so that what fills it can leave
    /// after a few more: nobody waits for all the others.
    pub(crate) fn forward(&mut self, shared: &mut Shared, turn: Turn) -> Option<Turn> {
        let publication = self.publications.get_mut(&turn.publication)?;
        let mut arrivals = publication.take_arrivals();
        let outlet = publication.outlets.get(turn.outlet);
        if let Some((subscriber, mid)) = outlet
            && let Some(peer) = self.peers.get_mut(subscriber)
        {
            let peer_id = peer.id();
            let session = peer.session.as_mut().filter(|session| session.is_connected());
            if let Some((session, outlet)) = session.zip(peer.outlets.get_mut(mid)) {
                for arrivals in arrivals.chunks(MAX_AT_ONCE) {
                    fill(shared, peer_id, session, outlet, arrivals);
                }
                if shared.arrived.is_empty() {
                    session.send_burst(&mut shared.outbox);
                }
            }
        }
        let is_last = outlet.is_none();
        if is_last {
            arrivals.clear();
        }
        publication.give_back(arrivals);
        (!is_last).then_some(Turn { outlet: turn.outlet + 1, ..turn })
    }
}

fn note_level(
    speakers: &mut SpeakerDetector<ParticipantId>,
    now: Instant,
    participant: ParticipantId,
    packet: &RtpPacket,
) {
    let extensions = &packet.header.ext_vals;
    if let Some(level) = extensions.audio_level {
        speakers.record(now, participant, level.unsigned_abs(), extensions.voice_activity);
    }
}

/// How many packets are put into a slot at once: a usual frame. More gain nothing.
const MAX_AT_ONCE: usize = 16;

/// Puts packets into a slot, those that belong there.
fn fill(
    shared: &mut Shared,
    peer: PeerId,
    session: &mut Session,
    outlet: &mut Outlet,
    arrivals: &[Arrival],
) {
    let mut packets: SmallVec<[Forward<'_>; MAX_AT_ONCE]> = SmallVec::new();
    packets.extend(arrivals.iter().filter_map(|arrival| rewrite(shared, outlet, arrival)));
    let (Some(newest), false) = (arrivals.last(), packets.is_empty()) else { return };

    let (now, ssrc) = (newest.input.now, outlet.slot.ssrc);
    let Some(written) = session.forward(now, ssrc, &packets, &mut shared.outbox) else { return };
    if written.starts_burst && !shared.arrived.is_empty() {
        shared.unsent.push(peer);
    }
    if written.waits {
        shared.unflushed.insert(peer);
    }
    shared.stats.packets_forwarded += packets.len() as u64;
    let bytes: usize = packets.iter().map(|forward| forward.packet.payload.len()).sum();
    shared.stats.bytes_forwarded += bytes as u64;
}

/// A packet as it goes out in a slot, if it does.
fn rewrite<'a>(
    shared: &mut Shared,
    outlet: &mut Outlet,
    arrival: &'a Arrival,
) -> Option<Forward<'a>> {
    if !outlet.slot.takes(arrival.codec) {
        shared.stats.drops.other_codec += 1;
        return None;
    }
    let out = match outlet.rewriter.rewrite(&arrival.input) {
        Verdict::Forward(out) => out,
        Verdict::Drop(reason) => {
            let expected =
                matches!(reason, DropReason::OtherLayer | DropReason::Padding | DropReason::Paused);
            shared.stats.drops.unneeded += u64::from(!expected);
            return None;
        }
    };
    if out.switched {
        let layer = arrival.input.layer;
        let switched = outlet.layer.replace(layer);
        let changed = switched.is_some_and(|before| before != layer);
        shared.stats.layer_switches += u64::from(changed);
    }
    fanout::rewritten(&outlet.slot, arrival, &out)
}
