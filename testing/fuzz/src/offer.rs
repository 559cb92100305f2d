//! Session descriptions that clients offer.

use std::time::Duration;

use conclave_call_proto::media::{MediaEvent, MediaRequest};
use conclave_sfu_proto::Input;

use crate::node::{Rig, peer};

/// An offer that a browser of ours could make.
const GOOD: &str = include_str!("../corpus/offer/chromium.sdp");

/// Any offer is answered or refused. Whether it comes first or renegotiates, a good one is
/// answered after it, and the peer can go.
pub(crate) fn target(data: &[u8]) {
    let Ok(sdp) = std::str::from_utf8(data) else { return };
    let mut rig = Rig::new();
    for (participant, generations) in [(1, [1, 2]), (2, [2, 2])] {
        let [first, second] = generations;
        if participant == 2 {
            rig.offer(participant, first, GOOD);
            assert_eq!(answers(&mut rig), 1, "a good offer is answered");
        }
        rig.offer(participant, second, sdp);
        let _ = answers(&mut rig);
        rig.run(Duration::from_secs(1));
        rig.offer(participant, 3, GOOD);
        assert_eq!(answers(&mut rig), 1, "a good offer is answered after a bad one");
        rig.input(Input::Request(MediaRequest::Leave { peer: peer(participant) }));
    }
    assert_eq!(rig.node.stats().peers, 0);
}

/// How many offers were answered. Each offer gets one answer or one refusal.
fn answers(rig: &mut Rig) -> usize {
    let mut answers = 0;
    let mut refusals = 0;
    for event in rig.events.drain(..) {
        match event {
            MediaEvent::Answer { .. } => answers += 1,
            MediaEvent::OfferRefused { .. } => refusals += 1,
            MediaEvent::Connected { .. }
            | MediaEvent::Demand { .. }
            | MediaEvent::Disconnected { .. }
            | MediaEvent::Quality { .. }
            | MediaEvent::Slots { .. }
            | MediaEvent::Speakers { .. } => {}
        }
    }
    assert_eq!(answers + refusals, 1, "each offer gets one answer");
    answers
}
