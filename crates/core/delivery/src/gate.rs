use std::collections::BTreeMap;

use crate::message::{Gate, Output};
use crate::service::DeliveryService;

impl DeliveryService {
    /// Says whose media may flow: those whose leaf is in the tree and is not to go.
    ///
    /// A member whose socket is gone keeps its media until its removal is proposed: signalling
    /// and media break apart. Who is shut out is shut out before anything else is said.
    pub(crate) fn move_gates(&mut self) {
        let mut open = BTreeMap::new();
        if let Some(group) = &self.group {
            for (who, device) in &self.devices {
                let leaf = device.leaf.filter(|leaf| {
                    group.view.leaves.contains_key(leaf) && !group.unwanted.contains(leaf)
                });
                if let Some(leaf) = leaf {
                    open.insert(*who, leaf);
                }
            }
        }
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
}
