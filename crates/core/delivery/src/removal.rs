use std::sync::Arc;
use std::time::Instant;

use conclave_model::ParticipantId;

use crate::limits::{COMMITTER_SPACING, NACK_WINDOW};
use crate::message::ToDevice;
use crate::service::DeliveryService;

/// Who is to commit what is proposed: one after the other, until one has.
#[derive(Debug)]
pub(crate) struct Duty {
    /// Admitters first, by leaf.
    order: Vec<ParticipantId>,
    asked: usize,
    next: Instant,
}

impl Duty {
    pub(crate) const fn next(&self) -> Instant {
        self.next
    }
}

impl DeliveryService {
    /// A leaf is to go.
    pub(crate) fn unwant(&mut self, leaf: u32) {
        if let Some(group) = &mut self.group {
            group.unwanted.insert(leaf);
        }
    }

    /// Proposes what is to be proposed in this epoch, and asks someone to commit it.
    pub(crate) fn pursue_removals(&mut self) {
        let live = self.live();
        let Some(group) = &mut self.group else { return };
        let leaves = &group.view.leaves;
        group.unwanted.retain(|leaf| leaves.contains_key(leaf));
        if live.is_empty() {
            group.duty = None;
            return;
        }
        let epoch = group.epoch();
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
                self.send(*who, ToDevice::Proposal { epoch, proposal });
            }
        }
        self.ask_committer(live, epoch);
    }

    fn ask_committer(&mut self, live: Vec<(ParticipantId, u32)>, epoch: u64) {
        let now = self.now;
        let Some(group) = &mut self.group else { return };
        if group.proposals.is_empty() {
            group.duty = None;
            return;
        }
        let mut order = live.clone();
        order.sort_by_key(|(_, leaf)| (!group.is_admitter(*leaf), *leaf));
        let fresh =
            || Duty { order: order.iter().map(|(who, _)| *who).collect(), asked: 0, next: now };
        let duty = group.duty.get_or_insert_with(fresh);
        let mut ask = Vec::new();
        while duty.next <= now {
            let Some(who) = duty.order.get(duty.asked) else {
                // All were asked, and nobody did: begin anew with those who are there.
                *duty = fresh();
                duty.next = now + NACK_WINDOW;
                break;
            };
            if live.iter().any(|(other, _)| other == who) {
                ask.push(*who);
            }
            duty.asked += 1;
            duty.next += COMMITTER_SPACING;
        }
        for who in ask {
            self.send(who, ToDevice::CommitProposals { epoch });
        }
    }
}
