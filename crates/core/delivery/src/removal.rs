use std::sync::Arc;

use crate::message::ToDevice;
use crate::service::DeliveryService;

impl DeliveryService {
    /// A leaf is to go.
    pub(crate) fn unwant(&mut self, leaf: u32) {
        if let Some(group) = &mut self.group {
            group.unwanted.insert(leaf);
        }
    }

    /// Proposes what is to be proposed in this epoch. Who commits it, members know among themselves.
    pub(crate) fn pursue_removals(&mut self) {
        let Some(group) = &mut self.group else { return };
        let leaves = &group.view.leaves;
        group.unwanted.retain(|leaf| leaves.contains_key(leaf));
        if group.unwanted.is_empty() {
            return;
        }
        let live = self.live();
        let Some(group) = self.group.as_mut().filter(|_| !live.is_empty()) else { return };
        let mut proposed: Vec<Arc<[u8]>> = Vec::new();
        for leaf in &group.unwanted {
            if !group.proposals.contains_key(leaf) {
                let Some(bytes) = group.state.propose_removal(*leaf, &self.key) else { continue };
                let bytes: Arc<[u8]> = bytes.into();
                group.proposals.insert(*leaf, Arc::clone(&bytes));
                proposed.push(bytes);
            }
        }
        self.dirty |= !proposed.is_empty();
        for proposal in proposed {
            for (who, _) in &live {
                let proposal = Arc::clone(&proposal);
                self.send(*who, ToDevice::Proposal { proposal });
            }
        }
    }

    /// Where the group cannot go on, everybody comes in anew, into another.
    pub(crate) fn drop_lost_group(&mut self) {
        if !self.group.as_ref().is_some_and(|group| group.state.is_lost()) {
            return;
        }
        self.group = None;
        self.dirty = true;
        self.devices.retain(|_, device| device.connected);
        for device in self.devices.values_mut() {
            device.leaf = None;
            device.ready = None;
            device.entry = None;
        }
        let all: Vec<_> = self.devices.keys().copied().collect();
        for who in all {
            self.knock_again(who);
        }
    }
}
