use std::sync::Arc;
use std::time::Duration;
use std::time::Instant;

use crate::rtp_::{Pt, SeqNo, Ssrc};

use super::RtpPacket;
use super::forward::{MAX_PATCHED, RtpRewrite, SharedRtp};

/// The first room that a cache takes, in packets.
const SMALLEST_ROOM: usize = 16;

/// How many of the newest packets are looked at to find one of a certain size.
const SEARCHED: u64 = 32;

/// The packets of a stream that may be sent again.
#[derive(Debug)]
pub(crate) struct RtxCache {
    /// The packet numbered `n`, if it is kept, at `n` modulo the length, a power of two. Nothing is
    /// outside of `oldest..=newest`.
    entries: Vec<Option<Cached>>,
    oldest: u64,
    newest: Option<u64>,
    /// A power of two, or none at all.
    max_packet_count: usize,
    max_packet_age: Duration,
    /// What times are counted from: those of the packets, and the newest that was heard of.
    epoch: Option<Instant>,
    now: Millis,

    // A shared packet that was asked for, by itself.
    expanded: Option<Box<RtpPacket>>,
}

/// A packet that may be resent. Kept small: there is one for each packet and stream, and writing it
/// into cold memory is what costs.
#[derive(Debug)]
enum Cached {
    Own(Box<RtpPacket>, Millis),
    Shared(CachedShared),
    /// As it was sent. It can be sent again as it is, and in no other form.
    Protected(CachedDatagram),
}

/// What an [`RtpRewrite`] says, but for the sequence number, which the place tells. In this order, so
/// that the other kinds of [`Cached`] have room before the last bytes, by which all are told apart.
#[derive(Debug)]
#[repr(C)]
struct CachedShared {
    packet: Arc<SharedRtp>,
    at: Millis,
    time: u32,
    number: u16,
    patch: [u8; MAX_PATCHED],
    pt: Pt,
    has_number: bool,
    has_patch: bool,
}

/// A datagram, and behind it when it was cached: nothing else would have room in a [`Cached`].
#[derive(Debug)]
struct CachedDatagram(Box<[u8]>);

const _: () = assert!(size_of::<Option<Cached>>() <= 24);

/// Milliseconds since a cache's first packet, of which only differences matter.
type Millis = u32;

impl CachedShared {
    fn rewrite(&self, seq_no: SeqNo) -> RtpRewrite {
        RtpRewrite {
            pt: self.pt,
            seq_no,
            time: self.time,
            number: self.has_number.then_some(self.number),
            patch: self.has_patch.then_some(self.patch),
        }
    }
}

impl CachedDatagram {
    fn new(datagram: &[u8], at: Millis) -> Self {
        Self([datagram, &at.to_le_bytes()].concat().into())
    }

    fn parts(&self) -> (&[u8], Millis) {
        let (datagram, at) = self.0.split_last_chunk().expect("it was written behind");
        (datagram, Millis::from_le_bytes(*at))
    }
}

impl Cached {
    fn payload(&self) -> &[u8] {
        match self {
            Cached::Own(packet, _) => &packet.payload,
            Cached::Shared(shared) => &shared.packet.payload,
            Cached::Protected(datagram) => datagram.parts().0,
        }
    }

    fn at(&self) -> Millis {
        match self {
            Cached::Own(_, at) => *at,
            Cached::Protected(datagram) => datagram.parts().1,
            Cached::Shared(shared) => shared.at,
        }
    }
}

impl RtxCache {
    /// `max_packet_count` is rounded up to a power of two.
    pub fn new(max_packet_count: usize, max_packet_age: Duration) -> Self {
        let max_packet_count = match max_packet_count {
            0 => 0,
            count => count.next_power_of_two(),
        };
        Self {
            entries: Vec::new(),
            oldest: 0,
            newest: None,
            max_packet_count,
            max_packet_age,
            epoch: None,
            now: 0,
            expanded: None,
        }
    }

    pub fn cache_sent_packet(&mut self, packet: RtpPacket, now: Instant) {
        assert!(packet.nackable);
        let at = self.advance(now);
        self.push(*packet.seq_no, Cached::Own(Box::new(packet), at));
    }

    /// Like [`cache_sent_packet`][Self::cache_sent_packet], for one that other streams send, too.
    pub fn cache_shared(&mut self, packet: Arc<SharedRtp>, rewrite: &RtpRewrite, now: Instant) {
        assert!(packet.nackable);
        let shared = CachedShared {
            packet,
            at: self.advance(now),
            time: rewrite.time,
            number: rewrite.number.unwrap_or_default(),
            patch: rewrite.patch.unwrap_or_default(),
            pt: rewrite.pt,
            has_number: rewrite.number.is_some(),
            has_patch: rewrite.patch.is_some(),
        };
        self.push(*rewrite.seq_no, Cached::Shared(shared));
    }

    /// Keeps a packet as it was sent.
    pub fn cache_protected(&mut self, seq_no: SeqNo, datagram: &[u8], now: Instant) {
        let at = self.advance(now);
        self.push(*seq_no, Cached::Protected(CachedDatagram::new(datagram, at)));
    }

    /// The packet with this number as it was sent, if it was kept in this form.
    pub fn cached_datagram(&self, seq_no: SeqNo) -> Option<&[u8]> {
        match self.get(*seq_no)? {
            Cached::Protected(datagram) => Some(datagram.parts().0),
            Cached::Own(..) | Cached::Shared(_) => None,
        }
    }

    pub fn cached_payload_len(&self, seq_no: SeqNo) -> Option<usize> {
        Some(self.get(*seq_no)?.payload().len())
    }

    pub fn last_cached_seq_no(&self) -> Option<SeqNo> {
        Some(self.newest?.into())
    }

    /// The packet with this number, sent on the stream with this SSRC.
    pub fn get_cached_packet_by_seq_no(
        &mut self,
        seq_no: SeqNo,
        ssrc: Ssrc,
    ) -> Option<&mut RtpPacket> {
        let index = self.index_of(*seq_no)?;
        match self.entries[index].as_mut()? {
            Cached::Own(packet, _) => Some(packet),
            Cached::Protected(_) => None,
            Cached::Shared(shared) => {
                let packet = shared.packet.to_packet(ssrc, &shared.rewrite(seq_no));
                Some(self.expanded.insert(Box::new(packet)))
            }
        }
    }

    /// The largest of the latest packets whose payload is smaller than this.
    pub fn get_cached_packet_smaller_than(
        &mut self,
        max_size: usize,
        ssrc: Ssrc,
    ) -> Option<&mut RtpPacket> {
        let newest = self.newest?;
        let seq_no = (newest.saturating_sub(SEARCHED - 1).max(self.oldest)..=newest)
            .filter_map(|seq_no| Some((self.get(seq_no)?.payload().len(), seq_no)))
            .filter(|(size, _)| *size < max_size)
            .max()
            .map(|(_, seq_no)| seq_no)?;

        self.get_cached_packet_by_seq_no(seq_no.into(), ssrc)
    }

    /// Drops what is too old to be resent.
    pub fn remove_old_packets(&mut self, now: Instant) {
        if self.epoch.is_none() {
            return;
        }
        self.advance(now);
        while self.newest.is_some_and(|newest| self.oldest <= newest) {
            let index = self.slot_of(self.oldest);
            if self.entries[index].as_ref().is_some_and(|oldest| !self.is_too_old(oldest)) {
                break;
            }
            self.entries[index] = None;
            self.oldest += 1;
        }
    }

    pub(crate) fn last_packet(&self) -> Option<&[u8]> {
        Some(self.get(self.newest?)?.payload())
    }

    pub(crate) fn clear(&mut self) {
        self.entries.clear();
        self.newest = None;
        self.epoch = None;
    }

    fn is_inert(&self) -> bool {
        self.max_packet_count == 0 || self.max_packet_age.is_zero()
    }

    /// Takes note of the time.
    fn advance(&mut self, now: Instant) -> Millis {
        let epoch = *self.epoch.get_or_insert(now);
        let now = now.saturating_duration_since(epoch).as_millis() as Millis;
        // Never back: what is newer than now would look older than anything.
        if now.wrapping_sub(self.now) < Millis::MAX / 2 {
            self.now = now;
        }
        self.now
    }

    fn is_too_old(&self, packet: &Cached) -> bool {
        let age = self.now.wrapping_sub(packet.at());
        Duration::from_millis(age.into()) > self.max_packet_age
    }

    fn slot_of(&self, seq_no: u64) -> usize {
        seq_no as usize & (self.entries.len() - 1)
    }

    fn index_of(&self, seq_no: u64) -> Option<usize> {
        let kept = self.oldest..=self.newest?;
        (kept.contains(&seq_no) && !self.entries.is_empty()).then(|| self.slot_of(seq_no))
    }

    fn get(&self, seq_no: u64) -> Option<&Cached> {
        let packet = self.entries[self.index_of(seq_no)?].as_ref()?;
        (!self.is_too_old(packet)).then_some(packet)
    }

    fn push(&mut self, seq_no: u64, packet: Cached) {
        if self.is_inert() {
            return;
        }
        let Some(newest) = self.newest else {
            self.entries.resize_with(SMALLEST_ROOM.min(self.max_packet_count), || None);
            (self.oldest, self.newest) = (seq_no, Some(seq_no));
            let index = self.slot_of(seq_no);
            self.entries[index] = Some(packet);
            return;
        };
        if seq_no < self.oldest {
            return;
        }
        if seq_no > newest {
            self.make_room(newest, seq_no);
            self.newest = Some(seq_no);
        }
        let index = self.slot_of(seq_no);
        self.entries[index] = Some(packet);
    }

    /// Makes room for a packet that is newer than the newest one: grows if what would have to go may
    /// still be asked for, and drops it otherwise.
    fn make_room(&mut self, newest: u64, seq_no: u64) {
        while seq_no - self.oldest >= self.entries.len() as u64 {
            let oldest = self.entries[self.slot_of(self.oldest)].as_ref();
            let is_wanted = oldest.is_some_and(|oldest| !self.is_too_old(oldest));
            let would_do = seq_no - self.oldest < self.max_packet_count as u64;
            if is_wanted && self.entries.len() < self.max_packet_count && would_do {
                self.grow(newest);
                continue;
            }
            if self.oldest > newest {
                // Nothing is left: what is between was never sent.
                self.oldest = seq_no;
                break;
            }
            let index = self.slot_of(self.oldest);
            self.entries[index] = None;
            self.oldest += 1;
        }
    }

    fn grow(&mut self, newest: u64) {
        let mut larger = Vec::new();
        larger.resize_with(self.entries.len() * 2, || None);
        let mut smaller = std::mem::replace(&mut self.entries, larger);
        let mask = smaller.len() - 1;
        for seq_no in self.oldest..=newest {
            let index = self.slot_of(seq_no);
            self.entries[index] = smaller[seq_no as usize & mask].take();
        }
    }
}

#[cfg(test)]
mod test {
    use crate::rtp_::MediaTime;
    use crate::rtp_::RtpHeader;

    use super::*;

    fn after(now: Instant, millis: u64) -> Instant {
        now + Duration::from_millis(millis)
    }

    fn packet(now: Instant, seq_no: u64, millis: u64) -> RtpPacket {
        RtpPacket {
            header: RtpHeader::default(),
            seq_no: seq_no.into(),
            time: MediaTime::from_90khz(0),
            payload: millis.to_be_bytes().into(),
            vp8_patch: None,
            timestamp: after(now, millis),
            last_sender_info: None,
            nackable: true,
        }
    }

    /// A cache to which these packets were given, one every ten milliseconds.
    fn cache(count: usize, age: Duration, packets: impl IntoIterator<Item = u64>) -> RtxCache {
        let now = Instant::now();
        let mut cache = RtxCache::new(count, age);
        for (i, seq_no) in packets.into_iter().enumerate() {
            cache.cache_sent_packet(packet(now, seq_no, 0), after(now, i as u64 * 10));
        }
        cache
    }

    fn kept(cache: &RtxCache) -> Vec<u64> {
        (0..2000).filter(|seq_no| cache.get(*seq_no).is_some()).collect()
    }

    const SECONDS: Duration = Duration::from_secs(3);

    #[test]
    fn what_may_not_be_kept_is_not() {
        assert_eq!(kept(&cache(0, SECONDS, [1])), []);
        assert_eq!(kept(&cache(10, Duration::ZERO, [1])), []);
    }

    #[test]
    fn the_newest_packets_are_kept() {
        assert_eq!(kept(&cache(1, SECONDS, [1])), [1]);
        assert_eq!(kept(&cache(1, SECONDS, [1, 2])), [2]);
        assert_eq!(kept(&cache(8, SECONDS, 1..=200)), (193..=200).collect::<Vec<_>>());
        assert_eq!(kept(&cache(100, SECONDS, 1..=200)), (73..=200).collect::<Vec<_>>());
    }

    #[test]
    fn it_grows_only_while_packets_may_be_asked_for() {
        let cache = cache(1024, Duration::from_millis(100), 1..=1000);
        assert_eq!(kept(&cache), (990..=1000).collect::<Vec<_>>());
        assert_eq!(cache.entries.len(), 16);
    }

    #[test]
    fn packets_may_come_in_disorder_and_with_gaps() {
        assert_eq!(kept(&cache(64, SECONDS, [10, 12, 11, 15])), [10, 11, 12, 15]);
        assert_eq!(kept(&cache(64, SECONDS, (1..=200).rev())), [200], "nothing before the first");
        assert_eq!(kept(&cache(64, SECONDS, [1, 2, 60])), [1, 2, 60]);
        assert_eq!(kept(&cache(64, SECONDS, [1, 2, 1500])), [1500]);
        assert_eq!(kept(&cache(64, SECONDS, [1500, 1, 1501])), [1500, 1501]);
    }

    #[test]
    fn a_number_is_not_taken_for_another_at_the_same_place() {
        let cache = cache(64, SECONDS, [5, 21]);
        assert_eq!(cache.entries.len(), 32);
        for seq_no in [21 - 32, 5 + 32, 21 + 32] {
            assert!(cache.get(seq_no as u64).is_none(), "{seq_no}");
        }
    }

    #[test]
    fn old_packets_go_and_their_memory_with_them() {
        let now = Instant::now();
        let mut cache = RtxCache::new(400, Duration::from_secs(1));
        for i in 1..=200 {
            cache.cache_sent_packet(packet(now, i, 0), after(now, i * 10));
        }
        assert_eq!(kept(&cache), (100..=200).collect::<Vec<_>>());
        let held = |cache: &RtxCache| cache.entries.iter().flatten().count();

        cache.remove_old_packets(after(now, 2000));
        assert_eq!(held(&cache), 101);
        cache.remove_old_packets(after(now, 3001));
        assert_eq!(held(&cache), 0);
        assert_eq!(cache.last_cached_seq_no(), Some(200.into()));

        cache.cache_sent_packet(packet(now, 201, 0), after(now, 3010));
        assert_eq!(kept(&cache), [201]);
    }

    #[test]
    fn time_that_goes_back_makes_nothing_old() {
        let now = Instant::now();
        let mut cache = RtxCache::new(64, SECONDS);
        cache.cache_sent_packet(packet(now, 1, 0), now);
        cache.cache_sent_packet(packet(now, 2, 0), after(now, 50));
        cache.remove_old_packets(after(now, 40));
        assert_eq!(kept(&cache), [1, 2]);
    }

    #[test]
    fn the_largest_that_is_small_enough_is_found() {
        let now = Instant::now();
        let mut cache = RtxCache::new(64, SECONDS);
        for (seq_no, size) in [(1, 900), (2, 300), (3, 1100), (4, 20)] {
            let payload = vec![0; size].into();
            cache.cache_sent_packet(RtpPacket { payload, ..packet(now, seq_no, 0) }, now);
        }
        let mut found =
            |size| cache.get_cached_packet_smaller_than(size, 1.into()).map(|p| *p.seq_no);
        assert_eq!([found(20), found(21), found(900), found(901)], [None, Some(4), Some(2), Some(1)]);
    }

    #[test]
    fn a_shared_packet_comes_out_as_it_went_in() {
        let now = Instant::now();
        let shared = Arc::new(SharedRtp::test_new(now, [7, 8, 9].as_slice(), [0, 2]));
        let rewrite = RtpRewrite {
            pt: 96.into(),
            seq_no: 70_000.into(),
            time: 5,
            number: None,
            patch: Some([1, 2, 3]),
        };
        let mut cache = RtxCache::new(64, SECONDS);
        cache.cache_shared(shared.clone(), &rewrite, now);

        let out = cache.get_cached_packet_by_seq_no(70_000.into(), 1.into()).unwrap();
        assert_eq!(out.payload.as_ref(), [1, 8, 2]);
        assert_eq!(*out, shared.to_packet(1.into(), &rewrite));
    }
}
