//! What happens to a packet for each slot that carries its publication.

use std::sync::Arc;

use conclave_forward::PacketOut;
use str0m::rtp::{ExtensionValues, RtpPacket, RtpRewrite, SharedRtp};

use crate::burst::Outbox;
use crate::publication::Arrival;
use crate::session::{Session, Slot, Written};

/// What is the same of a packet in all slots.
pub(crate) fn share(packet: &RtpPacket) -> Arc<SharedRtp> {
    Arc::new(SharedRtp {
        wallclock: packet.timestamp,
        marker: packet.header.marker,
        nackable: true,
        ext_vals: extensions(packet),
        payload: Arc::clone(&packet.payload),
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
    let rewrite = RtpRewrite {
        pt,
        seq_no: out.seq.into(),
        time: out.timestamp,
        number: out.frame_number,
        patch: out.ids.map(|ids| payload.patch(&packet.payload, ids)).unwrap_or_default(),
    };
    session.forward(input.now, slot.ssrc, packet, &rewrite, outbox)
}
