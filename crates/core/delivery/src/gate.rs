use std::collections::BTreeMap;

use conclave_model::ParticipantId;

use crate::message::{Gate, Output};
use crate::service::DeliveryService;

impl DeliveryService {
    /// Says whose media may flow: those whose leaf is in the tree and is not to go.
    ///
    /// A member whose socket is gone keeps its media until its removal is proposed: signalling
    /// and media break apart. Who is shut out is shut out before anything else is said.
    pub(crate) fn move_gates(&mut self) {
        // With nearly every input all stays as it was, and a thousand members say much.
        if self.open_gates().eq(self.gates.iter().map(|(who, leaf)| (*who, *leaf))) {
            return;
        }
        let open: BTreeMap<_, _> = self.open_gates().collect();
        for (who, leaf) in &self.gates {
            if open.get(who) != Some(leaf) {
                self.outputs.push_front(Output::Gate(Gate::Close { who: *who }));
            }
        }
        for (who, leaf) in &open {
            if self.gates.get(who) != Some(leaf) {
                self.outputs.push_back(Output::Gate(Gate::Open { who: *who, leaf: *leaf }));
            }
        }
        self.gates = open;
    }

    /// Whose media may flow, and the leaf.
    fn open_gates(&self) -> impl Iterator<Item = (ParticipantId, u32)> {
        let group = self.group.as_ref();
        self.devices.iter().filter_map(move |(who, device)| {
            let leaf = device.leaf?;
            let group = group?;
            let stays = group.view.leaves.contains_key(&leaf) && !group.unwanted.contains(&leaf);
            stays.then_some((*who, leaf))
        })
    }
}
