//! Whatever commit anyone makes up: the answer is the same each time, and what is accepted keeps
//! the rules as they are written, said here in other words than in the code.

use std::collections::BTreeSet;

use conclave_commit_rules::{
    CommitSender, CommitView, ContextView, GroupView, IdentityCheck, KeyPackageView, LeafView,
    Mode, ProposalKind, ProposalSender, ProposalView, PskView, Role, check,
};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

use crate::samples::{LINK, NOW, group, leaf, order, package};

fn any_leaf() -> impl Strategy<Value = LeafView> {
    (0..8_u8, 0..12_u8, any::<bool>()).prop_map(|(number, twist, host)| {
        let mut leaf = leaf(number);
        match twist {
            0 => leaf.signature_key = vec![99; 32],
            1 => leaf.identity = vec![99; 8],
            2 => leaf.host_proven = host,
            _ => {}
        }
        leaf
    })
}

fn any_identity() -> impl Strategy<Value = IdentityCheck> {
    prop_oneof![
        Just(IdentityCheck::Failed),
        Just(IdentityCheck::Guest),
        Just(IdentityCheck::Hidden),
        Just(IdentityCheck::Verified),
    ]
}

fn any_package() -> impl Strategy<Value = KeyPackageView> {
    (any_leaf(), any_identity(), 0..10_u8).prop_map(|(leaf, identity, twist)| {
        let mut package = KeyPackageView { leaf, identity, ..package(9) };
        match twist {
            0 => package.suite = 1,
            1 => package.not_after_unix_s = NOW - 10_000,
            2 => package.not_after_unix_s = u64::MAX,
            3 => package.capable = false,
            _ => {}
        }
        package
    })
}

fn any_kind() -> impl Strategy<Value = ProposalKind> {
    let context = (any::<bool>(), any::<bool>(), any::<bool>(), 0..3_usize).prop_map(
        |(readable, rest_unchanged, locked, role)| {
            let mut order = order();
            order.locked = locked;
            order.appoint(leaf(4).credential, [Role::Guest, Role::Admitter, Role::CoHost][role]);
            let view = ContextView { order: readable.then_some(order), rest_unchanged };
            ProposalKind::GroupContextExtensions(Box::new(view))
        },
    );
    prop_oneof![
        3 => any_package().prop_map(|package| ProposalKind::Add(Box::new(package))),
        1 => Just(ProposalKind::ExternalInit),
        2 => context,
        1 => any::<u16>().prop_map(ProposalKind::Other),
        4 => Just(ProposalKind::PreSharedKey(PskView::External(LINK.to_vec()))),
        1 => Just(ProposalKind::PreSharedKey(PskView::External(b"other".to_vec()))),
        1 => Just(ProposalKind::PreSharedKey(PskView::Resumption)),
        4 => (0..7_u32).prop_map(ProposalKind::Remove),
        1 => Just(ProposalKind::SelfRemove),
        2 => any_leaf().prop_map(|leaf| ProposalKind::Update(Box::new(leaf))),
    ]
}

fn any_proposal() -> impl Strategy<Value = ProposalView> {
    let sender = prop_oneof![
        4 => Just(ProposalSender::Committer),
        1 => (0..7_u32).prop_map(ProposalSender::Member),
        1 => Just(ProposalSender::NewMember),
        1 => (0..2_u32).prop_map(ProposalSender::Server),
    ];
    (sender, any_kind()).prop_map(|(sender, kind)| ProposalView { sender, kind })
}

fn any_commit() -> impl Strategy<Value = CommitView> {
    let sender = prop_oneof![
        3 => (0..6_u32).prop_map(CommitSender::Member),
        1 => any_identity().prop_map(CommitSender::External),
    ];
    (sender, vec(any_proposal(), 0..5), option::of(any_leaf()))
        .prop_map(|(sender, proposals, path)| CommitView { sender, proposals, path })
}

fn any_group() -> impl Strategy<Value = GroupView> {
    let mode = prop_oneof![Just(Mode::Lobby), Just(Mode::OpenLink), Just(Mode::VerifiedAuto)];
    (mode, any::<bool>(), any::<bool>(), option::of(0..5_u32)).prop_map(
        |(mode, locked, guests, pending)| {
            let mut group = group(mode);
            group.order.locked = locked;
            group.constitution.guests = guests;
            group.pending_removes.extend(pending);
            group
        },
    )
}

/// Whether an accepted commit keeps the rules.
fn keeps_the_rules(group: &GroupView, commit: &CommitView) -> Result<(), TestCaseError> {
    let kinds = || commit.proposals.iter().map(|proposal| &proposal.kind);
    let role_of = |index: &u32| group.leaves.get(index).map(|leaf| group.role(leaf));
    let links = kinds()
        .filter(|k| matches!(k, ProposalKind::PreSharedKey(PskView::External(id)) if id == LINK))
        .count();
    let adds: Vec<_> = kinds()
        .filter_map(|k| if let ProposalKind::Add(package) = k { Some(&**package) } else { None })
        .collect();

    prop_assert!(!kinds().any(|k| matches!(k, ProposalKind::Other(_))));
    if !adds.is_empty() {
        let CommitSender::Member(committer) = &commit.sender else {
            return Err(TestCaseError::fail("an external commit adds someone"));
        };
        prop_assert!(role_of(committer) >= Some(Role::Admitter));
        prop_assert_eq!(links, 1);
        prop_assert!(!group.order.locked);
    }
    if let CommitSender::External(identity) = commit.sender {
        let joiner = commit.path.as_ref().unwrap();
        prop_assert_eq!(links, 1);
        prop_assert!(identity != IdentityCheck::Failed);
        let open = group.constitution.mode != Mode::Lobby && !group.order.locked;
        prop_assert!(joiner.host_proven || open);
    }
    for ProposalView { sender, kind } in &commit.proposals {
        if matches!(sender, ProposalSender::Server(_) | ProposalSender::NewMember) {
            prop_assert_eq!(*sender, ProposalSender::Server(0));
            prop_assert!(matches!(kind, ProposalKind::Remove(_)));
        }
        if let (ProposalKind::Remove(target), CommitSender::Member(committer)) =
            (kind, &commit.sender)
            && *sender == ProposalSender::Committer
        {
            prop_assert!(role_of(committer) >= Some(Role::Admitter));
            let host_falls = role_of(target) == Some(Role::Host);
            prop_assert!(!host_falls || role_of(committer) == Some(Role::Host));
        }
        if let ProposalKind::GroupContextExtensions(context) = kind {
            let CommitSender::Member(committer) = &commit.sender else {
                return Err(TestCaseError::fail("an external commit changes the context"));
            };
            prop_assert!(role_of(committer) >= Some(Role::CoHost));
            prop_assert!(context.rest_unchanged && context.order.is_some());
        }
    }
    if let (CommitSender::Member(committer), Some(path)) = (&commit.sender, &commit.path) {
        prop_assert_eq!(group.leaves.get(committer), Some(path));
    }
    for package in adds {
        prop_assert!(package.capable && package.suite == group.constitution.suite);
        prop_assert!(package.not_after_unix_s < NOW + 26 * 3600);
    }
    let empty = commit.proposals.is_empty();
    prop_assert!(!empty || group.pending_removes.is_empty());
    Ok(())
}

/// The members after an accepted commit are each there once.
fn members_are_unique(group: &GroupView, commit: &CommitView) -> Result<(), TestCaseError> {
    let accepted = check(group, commit).unwrap();
    let removed: BTreeSet<_> = accepted.removed.iter().collect();
    let stay = group.leaves.iter().filter(|(index, _)| !removed.contains(index));
    let mut after: Vec<_> = stay.map(|(_, leaf)| leaf.credential).collect();
    after.extend(accepted.added.iter().chain(&accepted.joined).map(|entry| entry.credential));
    let unique: BTreeSet<_> = after.iter().collect();
    prop_assert_eq!(unique.len(), after.len());
    prop_assert!(after.len() <= usize::from(group.constitution.max_members));
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_000))]

    #[test]
    fn every_commit_gets_one_answer_and_what_is_accepted_keeps_the_rules(
        group in any_group(),
        commit in any_commit(),
    ) {
        let answer = check(&group, &commit);
        prop_assert_eq!(&answer, &check(&group, &commit));
        if answer.is_ok() {
            keeps_the_rules(&group, &commit)?;
            members_are_unique(&group, &commit)?;
        }
    }

    #[test]
    fn after_a_refusal_everything_is_refused(group in any_group(), commit in any_commit()) {
        let group = GroupView { stopped: true, ..group };
        prop_assert!(check(&group, &commit).is_err());
    }

    #[test]
    fn what_the_server_lets_pass_unseen_is_no_less_than_what_members_do(
        group in any_group(),
        commit in any_commit(),
    ) {
        // The server cannot see identities: it may accept what members refuse, never the reverse.
        let mut hidden = commit.clone();
        if let CommitSender::External(identity) = &mut hidden.sender {
            *identity = IdentityCheck::Hidden;
        }
        for proposal in &mut hidden.proposals {
            if let ProposalKind::Add(package) = &mut proposal.kind {
                package.identity = IdentityCheck::Hidden;
            }
        }
        if check(&group, &commit).is_ok() {
            prop_assert!(check(&group, &hidden).is_ok());
        }
    }
}
