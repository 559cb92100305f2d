//! A meeting to try commits on: a host at leaf 0, a co-host, an admitter, a presenter, a guest.

use std::collections::{BTreeMap, BTreeSet};

use conclave_commit_rules::{
    Classification, CommitSender, CommitView, Constitution, ContextView, CredentialId, GroupView,
    IdentityCheck, KeyPackageView, LeafView, Mode, Order, ProposalKind, ProposalSender,
    ProposalView, PskView, Role, SUITE_DEFAULT, UpdateClock,
};

pub(crate) const HOST: u32 = 0;
pub(crate) const CO_HOST: u32 = 1;
pub(crate) const ADMITTER: u32 = 2;
pub(crate) const PRESENTER: u32 = 3;
pub(crate) const GUEST: u32 = 4;
pub(crate) const NOW: u64 = 1_800_000_000;
pub(crate) const LINK: &[u8] = b"link:v1:meeting";

pub(crate) fn constitution(mode: Mode) -> Constitution {
    Constitution {
        version: Constitution::VERSION,
        meeting: [7; 16],
        suite: SUITE_DEFAULT,
        mode,
        join_before_host: false,
        host_key: [8; 32],
        issuers: Vec::new(),
        guests: true,
        node_key: [9; 32],
        jurisdictions: Vec::new(),
        gateways: false,
        voice_level: true,
        classification: Classification::Open,
        max_members: 8,
    }
}

pub(crate) fn leaf(number: u8) -> LeafView {
    LeafView {
        credential: CredentialId([number; 16]),
        signature_key: vec![number; 32],
        identity: vec![number; 8],
        host_proven: number == 0,
    }
}

pub(crate) fn order() -> Order {
    let mut order = Order::default();
    order.appoint(CredentialId([1; 16]), Role::CoHost);
    order.appoint(CredentialId([2; 16]), Role::Admitter);
    order.appoint(CredentialId([3; 16]), Role::Presenter);
    order
}

pub(crate) fn group(mode: Mode) -> GroupView {
    GroupView {
        constitution: constitution(mode),
        order: order(),
        leaves: (0..5).map(|number| (u32::from(number), leaf(number))).collect(),
        pending_removes: BTreeSet::new(),
        link_psk: LINK.to_vec(),
        now_unix_s: NOW,
        updates: UpdateClock::Measured(BTreeMap::new()),
        stopped: false,
    }
}

pub(crate) fn package(number: u8) -> KeyPackageView {
    KeyPackageView {
        leaf: leaf(number),
        suite: SUITE_DEFAULT,
        not_before_unix_s: NOW - 60,
        not_after_unix_s: NOW + 3600,
        capable: true,
        identity: IdentityCheck::Guest,
    }
}

pub(crate) fn own(kind: ProposalKind) -> ProposalView {
    ProposalView { sender: ProposalSender::Committer, kind }
}

pub(crate) fn from(sender: ProposalSender, kind: ProposalKind) -> ProposalView {
    ProposalView { sender, kind }
}

pub(crate) fn add(number: u8) -> ProposalView {
    own(ProposalKind::Add(Box::new(package(number))))
}

pub(crate) fn add_package(package: KeyPackageView) -> ProposalView {
    own(ProposalKind::Add(Box::new(package)))
}

pub(crate) fn link() -> ProposalView {
    own(ProposalKind::PreSharedKey(PskView::External(LINK.to_vec())))
}

pub(crate) fn remove(target: u32) -> ProposalView {
    own(ProposalKind::Remove(target))
}

pub(crate) fn context(order: Order) -> ProposalView {
    let view = ContextView { order: Some(order), rest_unchanged: true };
    own(ProposalKind::GroupContextExtensions(Box::new(view)))
}

pub(crate) fn by(member: u32, proposals: Vec<ProposalView>) -> CommitView {
    CommitView { sender: CommitSender::Member(member), proposals, path: None }
}

/// An external commit by a newcomer with the link's secret.
pub(crate) fn alone(joiner: LeafView, identity: IdentityCheck) -> CommitView {
    CommitView {
        sender: CommitSender::External(identity),
        proposals: vec![own(ProposalKind::ExternalInit), link()],
        path: Some(joiner),
    }
}
