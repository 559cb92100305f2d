use std::sync::Arc;

/// The most bytes of a frame in one packet: leaves room for the descriptor, the RTP header with
/// its extensions, RTX and the SRTP tag under an MTU of 1200.
const MAX_CHUNK: usize = 1100;

/// Cuts the VP8 frames of one layer into RTP payloads (RFC 7741), as browsers do: with a 15-bit
/// picture id and the index of the base temporal layer, which all frames are of.
#[derive(Clone, Debug)]
pub(crate) struct Vp8Packetizer {
    picture_id: u16,
    tl0_pic_idx: u8,
}

impl Vp8Packetizer {
    pub(crate) const fn new(picture_id: u16, tl0_pic_idx: u8) -> Self {
        Self { picture_id: picture_id & 0x7fff, tl0_pic_idx }
    }

    /// The payloads of the next frame, in order. The last one gets the RTP marker.
    pub(crate) fn packetize(&mut self, frame: &[u8]) -> Vec<Arc<[u8]>> {
        let [high, low] = self.picture_id.to_be_bytes();
        // X, then I, L and T present; M: the picture id has 15 bits; TID 0, no layer sync.
        let rest = [0x80 | 0x40 | 0x20, 0x80 | high, low, self.tl0_pic_idx, 0];
        let payload = |(number, chunk): (usize, &[u8])| {
            let start_of_partition = if number == 0 { 0x10 } else { 0 };
            let mut payload = Vec::with_capacity(1 + rest.len() + chunk.len());
            payload.push(0x80 | start_of_partition);
            payload.extend(rest);
            payload.extend(chunk);
            Arc::from(payload)
        };
        let payloads = frame.chunks(MAX_CHUNK).enumerate().map(payload).collect();
        self.picture_id = (self.picture_id + 1) & 0x7fff;
        self.tl0_pic_idx = self.tl0_pic_idx.wrapping_add(1);
        payloads
    }
}

#[cfg(test)]
mod tests {
    use str0m::rtp::Vp8Descriptor;

    use super::*;

    #[test]
    fn a_frame_of_several_packets_starts_once_and_keeps_one_picture_id() {
        let mut packetizer = Vp8Packetizer::new(0x7fff, 255);
        let frame = vec![0xab; 2 * MAX_CHUNK + 1];
        let payloads = packetizer.packetize(&frame);
        assert_eq!(payloads.len(), 3);
        let descriptors: Vec<_> =
            payloads.iter().map(|payload| Vp8Descriptor::parse(payload).unwrap()).collect();
        assert!(descriptors.iter().all(|d| d.picture_id() == Some(0x7fff)));
        let starts: Vec<_> = payloads.iter().map(|payload| payload[0] & 0x10 != 0).collect();
        assert_eq!(starts, [true, false, false]);
        let joined: Vec<u8> = payloads.iter().flat_map(|payload| payload[6..].to_vec()).collect();
        assert_eq!(joined, frame);

        let next = packetizer.packetize(&[1]);
        assert_eq!(Vp8Descriptor::parse(&next[0]).unwrap().picture_id(), Some(0), "wraps");
        assert_eq!(next[0][4], 0, "wraps");
    }
}
