use std::collections::BTreeSet;

use conclave_model::PublicationId;

/// The receiving slots of one subscriber and what each carries.
///
/// `S` names a slot; for the media node it is a [`Mid`](conclave_model::Mid). A publication stays
/// in its slot as long as it is wanted, and never has two.
#[derive(Clone, Debug)]
pub struct SlotTable<S> {
    slots: Vec<Slot<S>>,
    /// Counts assignments, to tell which free slot has been idle longest.
    round: u64,
}

/// A slot that carries something else than before.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct SlotChange<S> {
    /// Which slot.
    pub slot: S,
    /// What it carried.
    pub before: Option<PublicationId>,
    /// What it carries from here on.
    pub after: Option<PublicationId>,
}

impl<S: Copy + Eq> SlotTable<S> {
    /// Creates a table without slots.
    pub const fn new() -> Self {
        Self { slots: Vec::new(), round: 0 }
    }

    /// Adds an idle slot, unless the table has it.
    pub fn add(&mut self, slot: S) {
        if !self.slots.iter().any(|s| s.slot == slot) {
            self.slots.push(Slot { slot, carries: None, freed: 0 });
        }
    }

    /// Takes a slot out, with whatever it carries.
    pub fn remove(&mut self, slot: S) -> Option<PublicationId> {
        let i = self.slots.iter().position(|s| s.slot == slot)?;
        self.slots.remove(i).carries
    }

    /// How many slots there are.
    pub fn len(&self) -> usize {
        self.slots.len()
    }

    /// Whether there is no slot.
    pub fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    /// Makes the slots carry `wanted`, most important first, as far as there are slots.
    ///
    /// What is wanted and has a slot keeps it; what is no longer wanted loses it; the rest gets
    /// the slots that have been idle longest. Returns what changed, in the order of the slots.
    pub fn assign(&mut self, wanted: &[PublicationId]) -> Vec<SlotChange<S>> {
        self.round += 1;
        let before: Vec<_> = self.slots.iter().map(|s| s.carries).collect();

        let mut chosen = BTreeSet::new();
        let mut order = Vec::new();
        for &publication in wanted {
            if chosen.len() < self.slots.len() && chosen.insert(publication) {
                order.push(publication);
            }
        }
        for slot in &mut self.slots {
            if slot.carries.take_if(|carried| !chosen.contains(carried)).is_some() {
                slot.freed = self.round;
            }
        }
        for publication in order {
            if self.slot_of(publication).is_none() {
                let idle = self.slots.iter_mut().filter(|s| s.carries.is_none());
                if let Some(slot) = idle.min_by_key(|s| s.freed) {
                    slot.carries = Some(publication);
                }
            }
        }

        let changes = self.slots.iter().zip(before).filter(|(s, before)| s.carries != *before);
        changes.map(|(s, before)| SlotChange { slot: s.slot, before, after: s.carries }).collect()
    }

    /// The slot that carries `publication`.
    pub fn slot_of(&self, publication: PublicationId) -> Option<S> {
        self.slots.iter().find(|s| s.carries == Some(publication)).map(|s| s.slot)
    }

    /// What `slot` carries.
    pub fn carried_by(&self, slot: S) -> Option<PublicationId> {
        self.slots.iter().find(|s| s.slot == slot)?.carries
    }

    /// The slots and what each carries, in the order they were added.
    pub fn iter(&self) -> impl Iterator<Item = (S, Option<PublicationId>)> + Clone + '_ {
        self.slots.iter().map(|s| (s.slot, s.carries))
    }
}

impl<S: Copy + Eq> Default for SlotTable<S> {
    fn default() -> Self {
        Self::new()
    }
}

#[derive(Clone, Debug)]
struct Slot<S> {
    slot: S,
    carries: Option<PublicationId>,
    /// The round in which it became idle.
    freed: u64,
}

#[cfg(test)]
mod tests;
