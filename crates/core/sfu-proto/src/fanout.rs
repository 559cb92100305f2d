//! What happens to a packet for each slot that carries its publication.

use std::sync::Arc;

use conclave_forward::PacketOut;
use str0m::rtp::{ExtensionValues, RtpPacket, RtpWrite, SharedExtensionValue};

use crate::burst::Outbox;
use crate::codec::Payload;
use crate::publication::Arrival;
use crate::session::{Session, Slot, Written};

/// Puts a packet into a slot, with the numbers that the slot's stream has come to. A slot that does
/// not take the packet's codec gets nothing.
pub(crate) fn forward(
    session: &mut Session,
    slot: &Slot,
    arrival: &Arrival,
    out: &PacketOut,
    outbox: &mut Outbox,
) -> Written {
    let Arrival { packet, input, payload } = arrival;
    let Some(pt) = slot.payload_types.of(payload.codec()) else { return Written::Nowhere };
    let mut write = RtpWrite::new(
        pt,
        out.seq.into(),
        out.timestamp,
        packet.timestamp,
        payload.with_ids(&packet.payload, out.ids),
    )
    .marker(packet.header.marker)
    .nackable(true)
    .ext_vals(extensions(slot, packet, out));
    if let (Payload::Vp8(Some(descriptor)), Some(ids)) = (payload, out.ids) {
        let mut patch = descriptor.patch();
        if let Some(id) = ids.picture_id {
            // A stream that counts in 7 bits goes on counting in 7 bits.
            let short = descriptor.picture_id().is_some_and(|_| is_short(&packet.payload));
            patch = patch.picture_id(if short { id & 0x7f } else { id });
        }
        if let Some(index) = ids.tl0_pic_idx {
            patch = patch.tl0_pic_idx(index);
        }
        if let Ok(patch) = patch.build() {
            write = write.vp8_patch(patch);
        }
    }
    session.write(input.now, slot.ssrc, write, outbox)
}

/// Whether a VP8 payload descriptor that has a picture id has a short one (RFC 7741 section 4.2).
fn is_short(payload: &[u8]) -> bool {
    payload.get(2).is_some_and(|byte| byte & 0x80 == 0)
}

/// The extensions that mean something to a receiver. Those of the transport are str0m's own.
fn extensions(slot: &Slot, packet: &RtpPacket, out: &PacketOut) -> ExtensionValues {
    let from = &packet.header.ext_vals;
    let descriptor = from.shared_value.as_ref().filter(|_| slot.descriptor);
    let shared_value = out.frame_number.zip(descriptor).map(|(number, descriptor)| {
        SharedExtensionValue { bytes: Arc::clone(&descriptor.bytes), number: Some(number) }
    });
    ExtensionValues {
        audio_level: from.audio_level,
        voice_activity: from.voice_activity,
        video_orientation: from.video_orientation,
        video_content_type: from.video_content_type,
        shared_value,
        ..ExtensionValues::default()
    }
}
