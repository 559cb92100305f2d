use conclave_commit_rules::{
    Classification, ContextView, IdentityCheck, KeyPackageView, LeafView, Mode, Mute, ProposalKind,
    ProposalSender, PskView, Refusal, Role, Rule, UpdateClock, check,
};

use crate::samples::{
    ADMITTER, CO_HOST, GUEST, HOST, NOW, PRESENTER, add, add_package, alone, by, context, from,
    group, leaf, link, order, own, package, remove,
};

fn refusal(
    group: &conclave_commit_rules::GroupView,
    commit: &conclave_commit_rules::CommitView,
) -> Refusal {
    check(group, commit).unwrap_err()
}

#[test]
fn rule_1_only_known_proposals_are_taken() {
    let group = group(Mode::Lobby);
    for kind in [
        ProposalKind::Other(5),
        ProposalKind::Other(0xf000),
        ProposalKind::PreSharedKey(PskView::Resumption),
        ProposalKind::ExternalInit,
    ] {
        let refused = refusal(&group, &by(HOST, vec![own(kind)]));
        assert_eq!((refused, refused.rule()), (Refusal::ProposalType, Rule::Types));
    }
    let twice = vec![context(order()), context(order())];
    assert_eq!(refusal(&group, &by(HOST, twice)), Refusal::ProposalType);
}

#[test]
fn rule_1_the_constitution_never_changes_and_the_order_by_hosts_only() {
    let group = group(Mode::Lobby);
    let mut locked = order();
    locked.locked = true;
    for (member, allowed) in
        [(HOST, true), (CO_HOST, true), (ADMITTER, false), (PRESENTER, false), (GUEST, false)]
    {
        let answer = check(&group, &by(member, vec![context(locked.clone())]));
        match allowed {
            true => assert_eq!(answer.unwrap().order, Some(locked.clone())),
            false => assert_eq!(answer, Err(Refusal::NotHost)),
        }
    }
    for view in [
        ContextView { order: Some(order()), rest_unchanged: false },
        ContextView { order: None, rest_unchanged: true },
    ] {
        let change = own(ProposalKind::GroupContextExtensions(Box::new(view)));
        assert_eq!(refusal(&group, &by(HOST, vec![change])), Refusal::Context);
    }
}

#[test]
fn rule_1_a_co_host_mutes_and_appoints_below_itself_only() {
    let group = group(Mode::Lobby);
    let guest = leaf(4).credential;
    let appointed = |credential, role| {
        let mut order = order();
        order.appoint(credential, role);
        check(&group, &by(CO_HOST, vec![context(order)])).err()
    };
    assert_eq!(appointed(guest, Role::Admitter), None);
    assert_eq!(appointed(guest, Role::CoHost), Some(Refusal::NotHost));
    assert_eq!(appointed(leaf(1).credential, Role::Guest), Some(Refusal::NotHost));
    let mut muted = order();
    muted.mutes.push(Mute::Microphone(guest));
    assert!(check(&group, &by(CO_HOST, vec![context(muted)])).is_ok());
}

#[test]
fn rule_1_protection_is_never_lowered_even_by_a_host() {
    let mut group = group(Mode::Lobby);
    let mut raised = order();
    raised.classification = Classification::Confidential;
    assert!(check(&group, &by(HOST, vec![context(raised.clone())])).is_ok());
    group.order = raised;
    assert_eq!(refusal(&group, &by(HOST, vec![context(order())])), Refusal::Lowered);
}

#[test]
fn rule_2_admitters_add_with_the_links_secret_and_nobody_else_does() {
    let group = group(Mode::Lobby);
    for (member, allowed) in
        [(HOST, true), (CO_HOST, true), (ADMITTER, true), (PRESENTER, false), (GUEST, false)]
    {
        let answer = check(&group, &by(member, vec![add(9), link()]));
        match allowed {
            true => assert_eq!(answer.unwrap().added[0].credential, leaf(9).credential),
            false => assert_eq!(answer, Err(Refusal::NotAdmitter)),
        }
    }
    assert_eq!(refusal(&group, &by(HOST, vec![add(9)])), Refusal::NoLinkSecret);
    let many = vec![add(9), link(), link()];
    assert_eq!(refusal(&group, &by(HOST, many)), Refusal::ManyLinkSecrets);
    let other = own(ProposalKind::PreSharedKey(PskView::External(b"link:v1:other".to_vec())));
    assert_eq!(refusal(&group, &by(HOST, vec![add(9), other])), Refusal::WrongLinkSecret);
}

#[test]
fn rule_2_a_locked_or_full_meeting_lets_nobody_in() {
    let mut group = group(Mode::Lobby);
    let four: Vec<_> = (9..13).map(add).chain([link()]).collect();
    assert_eq!(refusal(&group, &by(HOST, four)), Refusal::Full);
    let three: Vec<_> = (9..12).map(add).chain([link()]).collect();
    assert_eq!(check(&group, &by(HOST, three)).unwrap().added.len(), 3);
    group.order.locked = true;
    assert_eq!(refusal(&group, &by(HOST, vec![add(9), link()])), Refusal::Locked);
}

#[test]
fn rule_3_who_may_come_in_alone_is_the_modes_to_say() {
    use IdentityCheck::{Failed, Guest, Hidden, Verified};
    for (mode, identity, expected) in [
        (Mode::Lobby, Verified, Some(Refusal::NotAdmitted)),
        (Mode::Lobby, Guest, Some(Refusal::NotAdmitted)),
        (Mode::VerifiedAuto, Verified, None),
        (Mode::VerifiedAuto, Hidden, None),
        (Mode::VerifiedAuto, Guest, Some(Refusal::NotAdmitted)),
        (Mode::OpenLink, Guest, None),
        (Mode::OpenLink, Verified, None),
        (Mode::OpenLink, Failed, Some(Refusal::Identity)),
    ] {
        let answer = check(&group(mode), &alone(leaf(9), identity));
        assert_eq!(answer.err(), expected, "{mode:?} {identity:?}");
    }
}

#[test]
fn rule_3_an_external_commit_without_the_links_secret_is_refused_in_every_mode() {
    for mode in [Mode::Lobby, Mode::OpenLink, Mode::VerifiedAuto] {
        for number in [0, 9] {
            let mut commit = alone(leaf(number), IdentityCheck::Verified);
            commit.proposals.truncate(1);
            assert_eq!(refusal(&group(mode), &commit), Refusal::NoLinkSecret);
        }
    }
}

/// The host on another device, or after a reload.
fn host_again() -> LeafView {
    LeafView { host_proven: true, ..leaf(9) }
}

#[test]
fn rule_3_a_host_comes_back_into_a_locked_lobby_and_removes_only_themselves() {
    let mut group = group(Mode::Lobby);
    group.order.locked = true;
    let back = alone(host_again(), IdentityCheck::Guest);
    let accepted = check(&group, &back).unwrap();
    assert_eq!(accepted.joined.unwrap().credential, leaf(9).credential);

    let mut replacing = back.clone();
    replacing.proposals.push(remove(HOST));
    assert_eq!(check(&group, &replacing).unwrap().removed, [HOST]);
    let mut ousting = back;
    ousting.proposals.push(remove(GUEST));
    assert_eq!(refusal(&group, &ousting), Refusal::NotRemover);
}

#[test]
fn rule_3_a_joiner_alone_adds_nobody_else_and_changes_nothing() {
    for extra in [add(10), context(order())] {
        let mut commit = alone(host_again(), IdentityCheck::Guest);
        commit.proposals.push(extra);
        assert_eq!(refusal(&group(Mode::OpenLink), &commit), Refusal::ProposalType);
    }
}

#[test]
fn rule_4_the_server_proposes_removals_of_members_only() {
    let group = group(Mode::Lobby);
    let server = ProposalSender::Server(0);
    let commit = |proposal| by(GUEST, vec![proposal]);
    let removal = from(server, ProposalKind::Remove(PRESENTER));
    assert_eq!(check(&group, &commit(removal)).unwrap().removed, [PRESENTER]);

    let ghost = from(server, ProposalKind::Add(Box::new(package(9))));
    assert_eq!(refusal(&group, &by(HOST, vec![ghost, link()])), Refusal::Proposer);
    let nobody = from(server, ProposalKind::Remove(77));
    assert_eq!(refusal(&group, &commit(nobody)), Refusal::Proposer);
    let other = from(ProposalSender::Server(1), ProposalKind::Remove(PRESENTER));
    assert_eq!(refusal(&group, &commit(other)), Refusal::Proposer);
    let knock = from(ProposalSender::NewMember, ProposalKind::Add(Box::new(package(9))));
    assert_eq!(refusal(&group, &by(HOST, vec![knock, link()])), Refusal::Proposer);
}

#[test]
fn rule_5_a_lower_role_never_removes_a_higher_one() {
    let group = group(Mode::Lobby);
    let ranked = [HOST, CO_HOST, ADMITTER, PRESENTER, GUEST];
    for (rank, &remover) in ranked.iter().enumerate() {
        for (other, &target) in ranked.iter().enumerate() {
            let allowed = remover <= ADMITTER && rank < other;
            let answer = check(&group, &by(remover, vec![remove(target)]));
            assert_eq!(answer.is_ok(), allowed, "{remover} removes {target}");
        }
    }
    assert_eq!(refusal(&group, &by(HOST, vec![remove(77)])), Refusal::UnknownTarget);
    let twice = vec![remove(GUEST), remove(GUEST)];
    assert_eq!(refusal(&group, &by(HOST, twice)), Refusal::UnknownTarget);
}

#[test]
fn rule_5_anyone_commits_that_another_leaves() {
    let group = group(Mode::Lobby);
    let leaves = from(ProposalSender::Member(HOST), ProposalKind::SelfRemove);
    assert_eq!(check(&group, &by(GUEST, vec![leaves])).unwrap().removed, [HOST]);
}

#[test]
fn rule_6_a_commit_changes_nobodys_credential_identity_or_key() {
    let group = group(Mode::Lobby);
    let was = leaf(4);
    let changed = [
        LeafView { credential: leaf(9).credential, ..was.clone() },
        LeafView { signature_key: vec![9; 32], ..was.clone() },
        LeafView { identity: vec![9; 8], ..was.clone() },
        LeafView { host_proven: true, ..was.clone() },
    ];
    let mut same = by(GUEST, Vec::new());
    same.path = Some(was);
    assert!(check(&group, &same).is_ok());
    for new in changed {
        let mut path = by(GUEST, Vec::new());
        path.path = Some(new.clone());
        assert_eq!(refusal(&group, &path), Refusal::IdentityChanged);
        let update = from(ProposalSender::Member(GUEST), ProposalKind::Update(Box::new(new)));
        assert_eq!(refusal(&group, &by(HOST, vec![update])), Refusal::IdentityChanged);
    }
}

#[test]
fn rule_6_no_device_is_in_the_group_twice() {
    let group = group(Mode::Lobby);
    assert_eq!(refusal(&group, &by(HOST, vec![add(4), link()])), Refusal::Twice);
    assert_eq!(refusal(&group, &by(HOST, vec![add(9), add(9), link()])), Refusal::Twice);
    let back = vec![add(4), link(), remove(GUEST)];
    assert!(check(&group, &by(HOST, back)).is_ok(), "but one may come back as it goes");
}

#[test]
fn rule_7_key_packages_are_of_the_suite_fresh_able_and_of_someone() {
    let mut group = group(Mode::Lobby);
    let good = package(9);
    let cases = [
        (KeyPackageView { suite: 1, ..good.clone() }, Refusal::Suite),
        (KeyPackageView { not_after_unix_s: NOW - 7200, ..good.clone() }, Refusal::Lifetime),
        (KeyPackageView { not_before_unix_s: NOW + 7200, ..good.clone() }, Refusal::Lifetime),
        (KeyPackageView { not_after_unix_s: NOW + 40 * 3600, ..good.clone() }, Refusal::Lifetime),
        (
            KeyPackageView { not_after_unix_s: 0, not_before_unix_s: 1, ..good.clone() },
            Refusal::Lifetime,
        ),
        (
            KeyPackageView { not_before_unix_s: 0, not_after_unix_s: u64::MAX, ..good.clone() },
            Refusal::Lifetime,
        ),
        (KeyPackageView { capable: false, ..good.clone() }, Refusal::Capabilities),
        (KeyPackageView { identity: IdentityCheck::Failed, ..good.clone() }, Refusal::Identity),
    ];
    for (package, expected) in cases {
        let refused = refusal(&group, &by(HOST, vec![add_package(package), link()]));
        assert_eq!((refused, refused.rule()), (expected, Rule::KeyPackage));
    }
    group.constitution.guests = false;
    let guest = by(HOST, vec![add_package(good.clone()), link()]);
    assert_eq!(refusal(&group, &guest), Refusal::NotAdmitted);
    let verified = KeyPackageView { identity: IdentityCheck::Verified, ..good };
    assert!(check(&group, &by(HOST, vec![add_package(verified), link()])).is_ok());
}

#[test]
fn rule_8_no_commit_for_nothing_while_a_removal_is_pending_and_no_storms() {
    let mut group = group(Mode::Lobby);
    let update = || {
        let mut commit = by(GUEST, Vec::new());
        commit.path = Some(leaf(4));
        commit
    };
    assert!(check(&group, &update()).is_ok());
    group.updates = UpdateClock::Measured([(GUEST, NOW - 299)].into());
    assert_eq!(refusal(&group, &update()), Refusal::TooSoon);
    // Mixing in a key lets nobody in: it is no way around.
    let mut mixed = update();
    mixed.proposals.push(link());
    assert_eq!(refusal(&group, &mixed), Refusal::TooSoon);
    group.updates = UpdateClock::Measured([(GUEST, NOW - 300)].into());
    assert!(check(&group, &update()).is_ok());
    group.updates = UpdateClock::NotMeasured;
    assert!(check(&group, &update()).is_ok());
    group.pending_removes.insert(PRESENTER);
    assert_eq!(refusal(&group, &update()), Refusal::Idle);
}

#[test]
fn rule_9_after_a_refusal_nothing_is_accepted() {
    let mut group = group(Mode::Lobby);
    group.stopped = true;
    let refused = refusal(&group, &by(HOST, vec![remove(GUEST)]));
    assert_eq!((refused, refused.rule()), (Refusal::Stopped, Rule::Stop));
}

#[test]
fn a_commit_of_nobody_is_refused() {
    let group = group(Mode::Lobby);
    assert_eq!(refusal(&group, &by(77, Vec::new())), Refusal::UnknownCommitter);
    let mut commit = alone(leaf(9), IdentityCheck::Guest);
    commit.path = None;
    assert_eq!(refusal(&group, &commit), Refusal::UnknownCommitter);
}
