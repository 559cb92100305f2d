//! What happens to a packet for each slot that carries its publication.

use std::sync::Arc;

use conclave_forward::PacketOut;
use str0m::rtp::{ExtensionValues, Forward, RtpPacket, RtpRewrite, SharedRtp};

use crate::codec::Counters;
use crate::publication::Arrival;
use crate::session::Slot;

/// What is the same of a packet in all slots.
pub(crate) fn share(packet: &RtpPacket, counters: Counters) -> Arc<SharedRtp> {
    Arc::new(SharedRtp {
        wallclock: packet.timestamp,
        marker: packet.header.marker,
        nackable: true,
        ext_vals: extensions(packet),
        payload: Arc::clone(&packet.payload),
        places: counters.places(),
    })
}

/// The extensions that mean something to a receiver. Those of the transport are str0m's own.
fn extensions(packet: &RtpPacket) -> ExtensionValues {
    let from = &packet.header.ext_vals;
    ExtensionValues {
        audio_level: from.audio_level,
        voice_activity: from.voice_activity,
        video_orientation: from.video_orientation,
        video_content_type: from.video_content_type,
        shared_value: from.shared_value.clone(),
        ..ExtensionValues::default()
    }
}

/// A packet with the numbers that a slot's stream has come to. `None` if the slot does not take the
/// packet's codec.
pub(crate) fn rewritten<'a>(
    slot: &Slot,
    arrival: &'a Arrival,
    out: &PacketOut,
) -> Option<Forward<'a>> {
    let Arrival { packet, codec, counters, .. } = arrival;
    let rewrite = RtpRewrite {
        pt: slot.payload_types.of(*codec)?,
        seq_no: out.seq.into(),
        time: out.timestamp,
        number: out.frame_number,
        patch: out.ids.and_then(|ids| counters.bytes(ids)),
    };
    Some(Forward { packet, rewrite })
}
