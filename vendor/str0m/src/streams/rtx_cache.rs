use std::sync::Arc;
use std::time::Duration;
use std::time::Instant;

use crate::io::DATAGRAM_MAX_PACKET_SIZE;
use crate::rtp_::{SeqNo, Ssrc};

use super::RtpPacket;
use super::forward::{RtpRewrite, SharedRtp};
use super::rtx_cache_buf::EvictingBuffer;

const RTX_CACHE_SIZE_QUANTIZER: usize = 25;
const RTX_CACHE_QUANTIZE_SLOTS: usize = DATAGRAM_MAX_PACKET_SIZE / RTX_CACHE_SIZE_QUANTIZER;

#[derive(Debug)]
pub(crate) struct RtxCache {
    // Data, new additions here probably need to be cleared in [`clear`].
    packet_by_seq_no: EvictingBuffer<Cached>,

    // A shared packet that was asked for, by itself.
    expanded: Option<Box<RtpPacket>>,

    // Technically we want [Option<SeqNo>; X] to indicate the absence of
    // a SeqNo. However We can half the storage space by using the sentinel
    // values SeqNo::MAX to indicate None
    seq_no_by_quantized_size: [SeqNo; RTX_CACHE_QUANTIZE_SLOTS],
}

/// A packet that may be resent. Kept small: there is one for each packet and stream.
#[derive(Debug)]
enum Cached {
    Own(Box<RtpPacket>),
    Shared(Arc<SharedRtp>, RtpRewrite),
    /// As it was sent. It can be sent again as it is, and in no other form.
    Protected(Box<[u8]>),
}

impl Cached {
    fn payload(&self) -> &[u8] {
        match self {
            Cached::Own(packet) => &packet.payload,
            Cached::Shared(packet, _) => &packet.payload,
            Cached::Protected(datagram) => datagram,
        }
    }
}

impl RtxCache {
    pub fn new(max_packet_count: usize, max_packet_age: Duration) -> Self {
        Self {
            packet_by_seq_no: EvictingBuffer::new(10, max_packet_age, max_packet_count),
            expanded: None,
            seq_no_by_quantized_size: [SeqNo::MAX; RTX_CACHE_QUANTIZE_SLOTS],
        }
    }

    pub fn cache_sent_packet(&mut self, packet: RtpPacket, now: Instant) {
        assert!(packet.nackable);
        self.cache(packet.seq_no, Cached::Own(Box::new(packet)), now);
    }

    /// Like [`cache_sent_packet`][Self::cache_sent_packet], for one that other streams send, too.
    pub fn cache_shared(&mut self, packet: Arc<SharedRtp>, rewrite: RtpRewrite, now: Instant) {
        assert!(packet.nackable);
        self.cache(rewrite.seq_no, Cached::Shared(packet, rewrite), now);
    }

    /// Keeps a packet as it was sent.
    pub fn cache_protected(&mut self, seq_no: SeqNo, datagram: &[u8], now: Instant) {
        self.packet_by_seq_no
            .push(*seq_no, now, Cached::Protected(datagram.into()));
        self.remove_old_packets(now);
    }

    /// The packet with this number as it was sent, if it was kept in this form.
    pub fn cached_datagram(&self, seq_no: SeqNo) -> Option<&[u8]> {
        match self.packet_by_seq_no.get(*seq_no)? {
            Cached::Protected(datagram) => Some(datagram),
            Cached::Own(_) | Cached::Shared(..) => None,
        }
    }

    fn cache(&mut self, seq_no: SeqNo, packet: Cached, now: Instant) {
        let quantized_size = packet.payload().len() / RTX_CACHE_SIZE_QUANTIZER;
        self.packet_by_seq_no.push(*seq_no, now, packet);
        self.seq_no_by_quantized_size[quantized_size] = seq_no;
        self.remove_old_packets(now);
    }

    pub fn cached_payload_len(&self, seq_no: SeqNo) -> Option<usize> {
        Some(self.packet_by_seq_no.get(*seq_no)?.payload().len())
    }

    pub fn last_cached_seq_no(&self) -> Option<SeqNo> {
        Some(self.packet_by_seq_no.last_position()?.into())
    }

    /// The packet with this number, sent on the stream with this SSRC.
    pub fn get_cached_packet_by_seq_no(
        &mut self,
        seq_no: SeqNo,
        ssrc: Ssrc,
    ) -> Option<&mut RtpPacket> {
        match self.packet_by_seq_no.get_mut(*seq_no)? {
            Cached::Own(packet) => Some(packet),
            Cached::Protected(_) => None,
            Cached::Shared(packet, rewrite) => {
                let packet = Box::new(packet.to_packet(ssrc, rewrite));
                Some(self.expanded.insert(packet))
            }
        }
    }

    pub fn get_cached_packet_smaller_than(
        &mut self,
        max_size: usize,
        ssrc: Ssrc,
    ) -> Option<&mut RtpPacket> {
        let quantized_size = max_size / RTX_CACHE_SIZE_QUANTIZER;

        let seq_no = self.seq_no_by_quantized_size[..quantized_size]
            .iter()
            .rev()
            .filter(|seq_no| !seq_no.is_max())
            .find(|seq_no| self.packet_by_seq_no.contains(***seq_no))?;

        self.get_cached_packet_by_seq_no(*seq_no, ssrc)
    }

    /// Drops what is too old to be resent.
    pub fn remove_old_packets(&mut self, now: Instant) {
        self.packet_by_seq_no.maybe_evict(now);
    }

    pub(crate) fn last_packet(&self) -> Option<&[u8]> {
        Some(self.packet_by_seq_no.last()?.payload())
    }

    pub(crate) fn clear(&mut self) {
        self.packet_by_seq_no.clear();
        self.seq_no_by_quantized_size = [SeqNo::MAX; RTX_CACHE_QUANTIZE_SLOTS];
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

    #[test]
    fn rtx_cache_0_sized() {
        let now = Instant::now();
        let mut rtx_cache = RtxCache::new(0, Duration::from_secs(3));
        rtx_cache.cache_sent_packet(packet(now, 1, 10), after(now, 10));
        assert_eq!(
            Some(&mut packet(now, 1, 10)),
            rtx_cache.get_cached_packet_by_seq_no(1.into(), 1.into())
        );
        assert_eq!(
            Some(&mut packet(now, 1, 10)),
            rtx_cache.get_cached_packet_smaller_than(1000, 1.into())
        );
    }

    #[test]
    fn rtx_cache_0_duration() {
        let now = Instant::now();
        let mut rtx_cache = RtxCache::new(10, Duration::from_secs(0));
        rtx_cache.cache_sent_packet(packet(now, 1, 10), after(now, 10));
        assert_eq!(None, rtx_cache.get_cached_packet_by_seq_no(1.into(), 1.into()));
        assert_eq!(None, rtx_cache.get_cached_packet_smaller_than(1000, 1.into()));
    }

    #[test]
    fn rtx_cache_1_sized() {
        let now = Instant::now();
        let mut rtx_cache = RtxCache::new(1, Duration::from_secs(3));
        rtx_cache.cache_sent_packet(packet(now, 1, 10), after(now, 10));
        assert_eq!(
            Some(&mut packet(now, 1, 10)),
            rtx_cache.get_cached_packet_by_seq_no(1.into(), 1.into())
        );
        assert_eq!(
            Some(&mut packet(now, 1, 10)),
            rtx_cache.get_cached_packet_smaller_than(1000, 1.into())
        );
        assert_eq!(
            Some(&mut packet(now, 1, 10)),
            rtx_cache.get_cached_packet_smaller_than(25, 1.into())
        );
        assert_eq!(None, rtx_cache.get_cached_packet_smaller_than(24, 1.into()));
        rtx_cache.cache_sent_packet(packet(now, 2, 20), after(now, 20));
        assert_eq!(
            Some(&mut packet(now, 2, 20)),
            rtx_cache.get_cached_packet_by_seq_no(2.into(), 1.into())
        );
    }

    #[test]
    fn rtx_cache_100_sized_backwards() {
        let now = Instant::now();
        let mut rtx_cache = RtxCache::new(100, Duration::from_secs(3));

        for i in 1..=200 {
            let seq_no = 201 - i;
            let pkt = packet(now, seq_no, (201 - i) * 10);
            let now = after(now, i * 10);
            rtx_cache.cache_sent_packet(pkt, now);
        }

        assert_eq!(
            Some(&mut packet(now, 200, 2000)),
            rtx_cache.get_cached_packet_by_seq_no(200.into(), 1.into())
        );
        assert_eq!(None, rtx_cache.get_cached_packet_by_seq_no(100.into(), 1.into()));
        assert_eq!(None, rtx_cache.get_cached_packet_by_seq_no(101.into(), 1.into()));
    }

    #[test]
    fn rtx_cache_eviction() {
        let now = Instant::now();
        // Cache can take all entries
        let mut rtx_cache = RtxCache::new(400, Duration::from_secs(1));
        for i in 1..=200 {
            let seq_no = i;
            let pkt = packet(now, seq_no, i * 10);
            let now = after(now, i * 10);
            rtx_cache.cache_sent_packet(pkt, now);
        }

        assert_eq!(None, rtx_cache.get_cached_packet_by_seq_no(99.into(), 1.into()));

        assert_eq!(
            Some(&mut packet(now, 100, 1000)),
            rtx_cache.get_cached_packet_by_seq_no(100.into(), 1.into())
        );
        assert_eq!(
            Some(&mut packet(now, 200, 2000)),
            rtx_cache.get_cached_packet_by_seq_no(200.into(), 1.into())
        );
    }
}
