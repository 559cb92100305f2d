use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

fn table(slots: u8) -> SlotTable<u8> {
    let mut table = SlotTable::new();
    (0..slots).for_each(|slot| table.add(slot));
    table
}

fn ids(ids: &[u32]) -> Vec<PublicationId> {
    ids.iter().copied().map(PublicationId).collect()
}

#[test]
fn what_is_still_wanted_keeps_its_slot() {
    let mut table = table(3);
    table.assign(&ids(&[1, 2, 3]));

    let changes = table.assign(&ids(&[9, 3, 1]));

    let replaced =
        SlotChange { slot: 1, before: Some(PublicationId(2)), after: Some(PublicationId(9)) };
    assert_eq!(changes, [replaced]);
}

#[test]
fn the_first_wanted_win_where_slots_are_few() {
    let mut table = table(2);

    table.assign(&ids(&[5, 6, 7]));
    assert_eq!(table.slot_of(PublicationId(7)), None);

    table.add(2);
    let changes = table.assign(&ids(&[5, 6, 7]));
    assert_eq!(changes, [SlotChange { slot: 2, before: None, after: Some(PublicationId(7)) }]);
}

#[test]
fn the_slot_that_was_idle_longest_is_used_first() {
    let mut table = table(2);
    table.assign(&ids(&[1, 2]));
    table.assign(&ids(&[2]));
    table.assign(&ids(&[]));

    table.assign(&ids(&[3]));

    assert_eq!(table.carried_by(0), Some(PublicationId(3)));
}

#[test]
fn a_slot_taken_out_frees_what_it_carried() {
    let mut table = table(2);
    table.assign(&ids(&[1, 2]));

    assert_eq!(table.remove(0), Some(PublicationId(1)));
    assert_eq!(table.slot_of(PublicationId(1)), None);
    assert_eq!(table.len(), 1);
}

proptest! {
    /// Whatever is wanted and however the pool changes: nothing has two slots, what is wanted
    /// has one while there are enough, what stays wanted stays where it is, and the reported
    /// changes are exactly the changes.
    #[test]
    fn assignments_are_stable_complete_and_reported(
        script in prop::collection::vec((prop::collection::vec(0..12u32, 0..8), 0..4u8), 1..40)
    ) {
        let mut table = table(1);
        let mut next_slot = 1;
        for (wanted, growth) in script {
            if growth == 0 {
                table.add(next_slot);
                next_slot += 1;
            }
            let wanted = ids(&wanted);
            let before: Vec<_> = table.iter().collect();
            let changes = table.assign(&wanted);
            let after: Vec<_> = table.iter().collect();

            let carried: Vec<_> = after.iter().filter_map(|(_, carries)| *carries).collect();
            let distinct: BTreeSet<_> = carried.iter().copied().collect();
            prop_assert_eq!(carried.len(), distinct.len(), "one publication has two slots");
            let asked: BTreeSet<_> = wanted.iter().copied().collect();
            prop_assert!(distinct.is_subset(&asked));
            prop_assert_eq!(distinct.len(), asked.len().min(table.len()));

            let expected: Vec<_> = before
                .iter()
                .zip(&after)
                .filter(|(before, after)| before.1 != after.1)
                .map(|(&(slot, before), &(_, after))| SlotChange { slot, before, after })
                .collect();
            prop_assert_eq!(&changes, &expected);
            for change in changes {
                let gone = change.before.is_none_or(|before| !distinct.contains(&before));
                prop_assert!(gone, "a publication was moved");
            }
        }
    }
}
