use std::collections::VecDeque;
use std::time::{Duration, Instant};

use smallvec::SmallVec;

use crate::layer::LayerId;

/// Makes one continuous RTP stream out of packets of changing layers and publications.
///
/// A receiver sees one encoder that never restarts: sequence numbers without a seam, timestamps
/// that go on with the time that passed, picture ids and frame numbers that count up. A gap that
/// the network tore stays a gap, so that the receiver asks for what is missing. Packets that it
/// need not see (padding, another layer) leave none.
///
/// A change of layer waits for the first packet of a key frame of the new layer; until then the
/// old one is forwarded.
#[derive(Debug)]
pub struct Rewriter {
    clock_rate: u32,
    needs_keyframes: bool,
    target: Option<LayerId>,
    /// What is forwarded at present.
    segment: Option<Segment>,
    /// The highest sequence number that came in, by layer. There are few.
    seen: SmallVec<[(LayerId, u64); 4]>,
    next_seq: u64,
    /// The newest packet that went out.
    newest: Option<Newest>,
}

impl Rewriter {
    /// Creates a rewriter for video, whose first outgoing sequence number is `first_seq` and
    /// whose timestamps count `clock_rate` times a second. It forwards nothing until
    /// [`set_target`](Self::set_target).
    pub fn new(clock_rate: u32, first_seq: u16) -> Self {
        Self {
            clock_rate,
            needs_keyframes: true,
            target: None,
            segment: None,
            seen: SmallVec::new(),
            next_seq: first_seq as u64,
            newest: None,
        }
    }

    /// Turns it into one for audio: each packet can be decoded, so a change waits for nothing.
    #[must_use]
    pub fn without_keyframes(mut self) -> Self {
        self.needs_keyframes = false;
        self
    }

    /// Chooses the layer to forward, or none. Whoever comes back from none needs a key frame.
    pub fn set_target(&mut self, target: Option<LayerId>) {
        self.target = target;
        if target.is_none() {
            self.segment = None;
        }
    }

    /// The layer chosen.
    pub const fn target(&self) -> Option<LayerId> {
        self.target
    }

    /// The layer forwarded at present.
    pub fn current(&self) -> Option<LayerId> {
        self.segment.as_ref().map(|segment| segment.layer)
    }

    /// The layer that a key frame is needed of before the target is reached.
    pub fn wants_keyframe(&self) -> Option<LayerId> {
        self.target.filter(|_| self.needs_keyframes && self.current() != self.target)
    }

    /// Ends what is forwarded at present: whatever comes next begins with a key frame. What went out
    /// from the sequence number `unsent` on was never sent, so that its numbers are used again.
    pub fn cut(&mut self, unsent: Option<u64>) {
        self.segment = None;
        self.next_seq = unsent.map_or(self.next_seq, |unsent| unsent.min(self.next_seq));
    }

    /// Begins another publication, or another stream of the same (its SSRC has changed), in the
    /// same outgoing stream. It has no target yet.
    pub fn restart(&mut self) {
        self.target = None;
        self.segment = None;
        self.seen.clear();
    }

    /// Decides about one packet of the publication, whatever its layer. Packets come in the order
    /// of their arrival; `packet.now` must not go backwards between calls.
    pub fn rewrite(&mut self, packet: &PacketIn) -> Verdict {
        let leads = self.note_seen(packet);
        let Some(target) = self.target else { return Verdict::Drop(DropReason::Paused) };

        let here = self.current() == Some(packet.layer);
        if here && self.segment.as_ref().is_some_and(|s| s.is_torn_by(packet.seq)) {
            self.segment = None;
        } else if here {
            return self.go_on(packet);
        }
        if packet.layer != target {
            return Verdict::Drop(DropReason::OtherLayer);
        }
        if packet.payload_len == 0 {
            return Verdict::Drop(DropReason::Padding);
        }
        if !self.needs_keyframes || (packet.starts_keyframe && leads) {
            return self.switch(packet);
        }
        Verdict::Drop(DropReason::AwaitsKeyframe)
    }

    /// Whether the packet is newer than all before it on its layer. A key frame whose first
    /// packet comes after later ones has lost those: switching to it would freeze.
    fn note_seen(&mut self, packet: &PacketIn) -> bool {
        let known = self.seen.iter_mut().find(|(layer, _)| *layer == packet.layer);
        let Some((_, highest)) = known else {
            self.seen.push((packet.layer, packet.seq));
            return true;
        };
        let leads = packet.seq > *highest || packet.seq.abs_diff(*highest) > MAX_JUMP;
        if leads {
            *highest = packet.seq;
        }
        leads
    }

    /// Forwards a packet of the current layer.
    fn go_on(&mut self, packet: &PacketIn) -> Verdict {
        let Some(segment) = &mut self.segment else {
            return Verdict::Drop(DropReason::Paused);
        };
        let seq = match segment.place(packet.seq, packet.payload_len == 0) {
            Ok(seq) => seq,
            Err(DropReason::TooOld) if segment.is_left_behind() => {
                self.segment = None;
                self.seen.retain(|(layer, _)| *layer != packet.layer);
                return Verdict::Drop(DropReason::TooOld);
            }
            Err(reason) => return Verdict::Drop(reason),
        };
        let out = PacketOut {
            seq,
            timestamp: packet.timestamp.wrapping_add(segment.timestamp_offset),
            ids: packet.ids.map(|ids| segment.rebase_ids(ids)),
            frame_number: packet
                .frame_number
                .map(|number| number.wrapping_add(segment.frame_number_offset)),
            switched: false,
        };
        self.note_sent(packet.now, &out);
        Verdict::Forward(out)
    }

    /// Forwards the first packet of a layer.
    fn switch(&mut self, packet: &PacketIn) -> Verdict {
        let out = match &self.newest {
            None => PacketOut {
                seq: self.next_seq,
                timestamp: packet.timestamp,
                ids: packet.ids,
                frame_number: packet.frame_number,
                switched: true,
            },
            Some(newest) => PacketOut {
                seq: self.next_seq,
                timestamp: newest.timestamp_at(packet.now, self.clock_rate),
                ids: packet.ids.map(|ids| newest.ids_after(ids)),
                frame_number: packet
                    .frame_number
                    .map(|number| newest.frame_number.map_or(number, |n| n.wrapping_add(1))),
                switched: true,
            },
        };
        self.segment = Some(Segment::new(packet, &out));
        self.note_sent(packet.now, &out);
        Verdict::Forward(out)
    }

    fn note_sent(&mut self, now: Instant, out: &PacketOut) {
        if out.seq < self.next_seq {
            return;
        }
        self.next_seq = out.seq + 1;
        let before = self.newest.take();
        let same_frame = before.as_ref().filter(|newest| newest.timestamp == out.timestamp);
        let ids = out.ids.unwrap_or_default();
        self.newest = Some(Newest {
            timestamp: out.timestamp,
            at: same_frame.map_or(now, |newest| newest.at),
            picture_id: ids.picture_id.or_else(|| before.as_ref()?.picture_id),
            tl0_pic_idx: ids.tl0_pic_idx.or_else(|| before.as_ref()?.tl0_pic_idx),
            frame_number: out.frame_number.or_else(|| before.as_ref()?.frame_number),
        });
    }
}

/// What the rewriter needs to know of a packet.
#[derive(Clone, Copy, Debug)]
pub struct PacketIn {
    /// When it arrived.
    pub now: Instant,
    /// The layer it belongs to.
    pub layer: LayerId,
    /// Its sequence number, extended beyond 16 bits, as the publisher's stream counts.
    pub seq: u64,
    /// Its RTP timestamp.
    pub timestamp: u32,
    /// How many bytes of payload it has, padding excluded.
    pub payload_len: usize,
    /// It is the first packet of a key frame. Without meaning for audio.
    pub starts_keyframe: bool,
    /// What its payload descriptor says, if it has one.
    pub ids: Option<PictureIds>,
    /// What its Dependency Descriptor says, if it has one.
    pub frame_number: Option<u16>,
}

/// The counters in a payload descriptor of VP8 (RFC 7741 section 4.2) or VP9 (RFC 9628 section 4.2).
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct PictureIds {
    /// Counts frames; 15 bits.
    pub picture_id: Option<u16>,
    /// Counts frames of the lowest temporal layer; 8 bits.
    pub tl0_pic_idx: Option<u8>,
}

/// What becomes of a packet.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Verdict {
    /// It goes out, with these numbers in place of its own.
    Forward(PacketOut),
    /// It does not go out.
    Drop(DropReason),
}

/// The numbers of an outgoing packet.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct PacketOut {
    /// Sequence number, extended beyond 16 bits. The first one is below 2^16: the rollover
    /// counter of SRTP (RFC 3711) starts at zero on both ends.
    pub seq: u64,
    /// RTP timestamp.
    pub timestamp: u32,
    /// For the payload descriptor, where the packet has one.
    pub ids: Option<PictureIds>,
    /// For the Dependency Descriptor, where the packet has one.
    pub frame_number: Option<u16>,
    /// It is the first packet of a layer or publication.
    pub switched: bool,
}

/// Why a packet does not go out.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum DropReason {
    /// It is of the target layer, but cannot be decoded before a key frame comes.
    AwaitsKeyframe,
    /// It is older than the point where its layer was switched to.
    BeforeSwitch,
    /// It came before.
    Duplicate,
    /// It belongs to a layer that is not forwarded.
    OtherLayer,
    /// It has no payload.
    Padding,
    /// Nothing is forwarded.
    Paused,
    /// It is so late that it is not known whether it came before.
    TooOld,
}

/// How many packets behind the newest one a late packet may be.
const WINDOW: u64 = 1024;

/// A publisher whose numbers jump further than this has begun anew. A receiver would take the
/// jump for a loss of as many packets, and beyond 2^15 could not decrypt.
const MAX_JUMP: u64 = 4096;

/// So many packets in a row that are too old are no late ones: the publisher has begun anew, a
/// little below where it was.
const LEFT_BEHIND: u32 = 16;

/// A run of packets of one layer that go out with the same offsets.
#[derive(Debug)]
struct Segment {
    layer: LayerId,
    first_in: u64,
    first_out: u64,
    highest_in: u64,
    /// Which of the last [`WINDOW`] packets have come; bit `seq % WINDOW`.
    came: [u64; (WINDOW / 64) as usize],
    /// The padding packets whose gap was closed, oldest first.
    closed: VecDeque<u64>,
    /// How many were closed before those in `closed`.
    closed_before: u64,
    /// How many packets in a row were too old.
    too_old: u32,
    timestamp_offset: u32,
    picture_id_offset: u16,
    tl0_pic_idx_offset: u8,
    frame_number_offset: u16,
}

impl Segment {
    fn new(first: &PacketIn, out: &PacketOut) -> Self {
        let (ids_in, ids_out) = (first.ids.unwrap_or_default(), out.ids.unwrap_or_default());
        let picture_id = |ids: PictureIds| ids.picture_id.unwrap_or_default();
        let tl0_pic_idx = |ids: PictureIds| ids.tl0_pic_idx.unwrap_or_default();
        let number_in = first.frame_number.unwrap_or_default();
        let mut segment = Self {
            layer: first.layer,
            first_in: first.seq,
            first_out: out.seq,
            highest_in: first.seq,
            came: [0; (WINDOW / 64) as usize],
            closed: VecDeque::new(),
            closed_before: 0,
            too_old: 0,
            timestamp_offset: out.timestamp.wrapping_sub(first.timestamp),
            picture_id_offset: picture_id(ids_out).wrapping_sub(picture_id(ids_in)),
            tl0_pic_idx_offset: tl0_pic_idx(ids_out).wrapping_sub(tl0_pic_idx(ids_in)),
            frame_number_offset: out.frame_number.unwrap_or_default().wrapping_sub(number_in),
        };
        segment.mark(first.seq);
        segment
    }

    /// Whether `seq` cannot belong to the same run: the publisher has begun anew.
    const fn is_torn_by(&self, seq: u64) -> bool {
        seq.abs_diff(self.highest_in) > MAX_JUMP
    }

    /// Whether the publisher goes on elsewhere.
    const fn is_left_behind(&self) -> bool {
        self.too_old >= LEFT_BEHIND
    }

    /// The outgoing sequence number of the packet numbered `seq`.
    fn place(&mut self, seq: u64, padding: bool) -> Result<u64, DropReason> {
        if seq < self.first_in {
            return Err(DropReason::BeforeSwitch);
        }
        if seq > self.highest_in {
            self.too_old = 0;
            for skipped in self.highest_in + 1..=seq {
                self.unmark(skipped);
            }
            self.highest_in = seq;
            self.mark(seq);
            self.forget_old_gaps();
            if padding {
                self.closed.push_back(seq);
                return Err(DropReason::Padding);
            }
            return Ok(self.out(seq));
        }
        if self.highest_in - seq >= WINDOW {
            self.too_old += 1;
            return Err(DropReason::TooOld);
        }
        if self.has_come(seq) {
            return Err(DropReason::Duplicate);
        }
        self.mark(seq);
        // The gap of late padding cannot be closed: what follows has gone out.
        if padding { Err(DropReason::Padding) } else { Ok(self.out(seq)) }
    }

    fn out(&self, seq: u64) -> u64 {
        let closed = self.closed.iter().filter(|&&gap| gap < seq).count() as u64;
        self.first_out + (seq - self.first_in) - self.closed_before - closed
    }

    fn forget_old_gaps(&mut self) {
        while self.closed.front().is_some_and(|&gap| self.highest_in - gap > WINDOW) {
            self.closed.pop_front();
            self.closed_before += 1;
        }
    }

    fn mark(&mut self, seq: u64) {
        let (word, bit) = Self::bit(seq);
        if let Some(word) = self.came.get_mut(word) {
            *word |= bit;
        }
    }

    fn unmark(&mut self, seq: u64) {
        let (word, bit) = Self::bit(seq);
        if let Some(word) = self.came.get_mut(word) {
            *word &= !bit;
        }
    }

    fn has_come(&self, seq: u64) -> bool {
        let (word, bit) = Self::bit(seq);
        self.came.get(word).is_some_and(|word| word & bit != 0)
    }

    const fn bit(seq: u64) -> (usize, u64) {
        let i = seq % WINDOW;
        ((i / 64) as usize, 1 << (i % 64))
    }

    fn rebase_ids(&self, ids: PictureIds) -> PictureIds {
        PictureIds {
            picture_id: ids
                .picture_id
                .map(|id| id.wrapping_add(self.picture_id_offset) & PICTURE_ID_MASK),
            tl0_pic_idx: ids.tl0_pic_idx.map(|index| index.wrapping_add(self.tl0_pic_idx_offset)),
        }
    }
}

/// A picture id has 15 bits.
const PICTURE_ID_MASK: u16 = 0x7fff;

/// What the next segment continues from.
#[derive(Debug)]
struct Newest {
    timestamp: u32,
    /// When the first packet with this timestamp went out.
    at: Instant,
    picture_id: Option<u16>,
    tl0_pic_idx: Option<u8>,
    frame_number: Option<u16>,
}

impl Newest {
    /// The timestamp of a frame that starts at `now`: as much later as time has passed, and at
    /// least one tick.
    fn timestamp_at(&self, now: Instant, clock_rate: u32) -> u32 {
        let elapsed = now.saturating_duration_since(self.at);
        self.timestamp.wrapping_add(ticks(elapsed, clock_rate).max(1))
    }

    fn ids_after(&self, ids: PictureIds) -> PictureIds {
        let next_id = |id: u16| id.wrapping_add(1) & PICTURE_ID_MASK;
        PictureIds {
            picture_id: ids.picture_id.map(|id| self.picture_id.map_or(id, next_id)),
            tl0_pic_idx: ids
                .tl0_pic_idx
                .map(|index| self.tl0_pic_idx.map_or(index, |index| index.wrapping_add(1))),
        }
    }
}

/// A duration in ticks of the clock. A pause longer than half the range of a timestamp would
/// look like a step back, and is cut to a day's worth at most.
fn ticks(elapsed: Duration, clock_rate: u32) -> u32 {
    let ticks = elapsed.as_micros().saturating_mul(u128::from(clock_rate)) / 1_000_000;
    u32::try_from(ticks).unwrap_or(u32::MAX).min(u32::MAX / 4)
}

#[cfg(test)]
mod tests;
