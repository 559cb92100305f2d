use std::collections::BTreeSet;
use std::time::Duration;

use crate::constitution::{Constitution, Mode};
use crate::order::{Order, Role};
use crate::view::{
    CommitSender, CommitView, ContextView, CredentialId, GroupView, IdentityCheck, KeyPackageView,
    LeafView, MAX_LIFETIME, ProposalKind, ProposalSender, ProposalView, PskView, UpdateClock,
};

/// How often a member may commit nothing but a new path.
pub const UPDATE_SPACING: Duration = Duration::from_secs(5 * 60);

/// How far apart commits that add people are at least: what an epoch costs grows with the group.
pub const fn add_spacing(members: usize) -> Duration {
    match members {
        0..=50 => Duration::from_secs(1),
        51..=250 => Duration::from_secs(2),
        _ => Duration::from_secs(5),
    }
}

/// Clocks differ by this much.
const CLOCK_SKEW_S: u64 = 3600;

/// What an accepted commit does.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Accepted {
    /// Who comes in by an Add, and how sure it is who they are.
    pub added: Vec<Entry>,
    /// Who comes in by an external commit.
    pub joined: Option<Entry>,
    /// Which leaves are empty afterwards, ascending.
    pub removed: Vec<u32>,
    /// Those of them whom a member removed, and not the server's proposal alone.
    pub put_out: Vec<u32>,
    /// What hosts newly decided.
    pub order: Option<Order>,
}

/// Someone who comes in.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Entry {
    /// Who.
    pub credential: CredentialId,
    /// How sure it is.
    pub identity: IdentityCheck,
}

/// Puts a commit to the nine rules.
///
/// All members get the same answer, as they see the same group; the server answers what it can
/// see, for which [`IdentityCheck::Hidden`] and [`GroupView::pending_removes`] stand.
///
/// # Errors
///
/// The first rule that is broken, in the order of the rules. The commit must not take effect; a
/// member that refuses one stops sending and shows why (rule 9).
pub fn check(group: &GroupView, commit: &CommitView) -> Result<Accepted, Refusal> {
    if group.stopped {
        return Err(Refusal::Stopped);
    }
    let committer = committer(group, commit)?;
    types(commit)?;
    admission(group, commit, &committer)?;
    if let CommitSender::External(identity) = commit.sender {
        external(group, commit, identity)?;
    }
    proposers(group, commit)?;
    let removed = removals(group, commit, &committer)?;
    identities(group, commit, &committer, &removed)?;
    let added = key_packages(group, commit)?;
    let order = context(group, commit, committer.role)?;
    pace(group, commit)?;

    let members = group.leaves.len() + added.len() + usize::from(committer.index.is_none());
    if members - removed.len() > usize::from(group.constitution.max_members) {
        return Err(Refusal::Full);
    }
    let joined = match (&commit.sender, &commit.path) {
        (CommitSender::External(identity), Some(leaf)) => {
            Some(Entry { credential: leaf.credential, identity: *identity })
        }
        (CommitSender::External(_) | CommitSender::Member(_), _) => None,
    };
    let put_out = removed.iter().copied().filter(|leaf| is_put_out(commit, *leaf)).collect();
    Ok(Accepted { added, joined, removed: removed.into_iter().collect(), put_out, order })
}

/// Who commits.
struct Committer<'a> {
    /// Nothing in an external commit.
    index: Option<u32>,
    /// The leaf before the commit; the new one in an external commit.
    leaf: &'a LeafView,
    role: Role,
}

fn committer<'a>(group: &'a GroupView, commit: &'a CommitView) -> Result<Committer<'a>, Refusal> {
    let (index, leaf) = match commit.sender {
        CommitSender::Member(index) => (Some(index), group.leaves.get(&index)),
        CommitSender::External(_) => (None, commit.path.as_ref()),
    };
    let leaf = leaf.ok_or(Refusal::UnknownCommitter)?;
    Ok(Committer { index, leaf, role: group.role(leaf) })
}

/// Rule 1: only proposals of the types that a meeting needs.
fn types(commit: &CommitView) -> Result<(), Refusal> {
    let external = matches!(commit.sender, CommitSender::External(_));
    let mut contexts = 0;
    for proposal in &commit.proposals {
        match &proposal.kind {
            ProposalKind::ExternalInit if external => {}
            ProposalKind::ExternalInit => return Err(Refusal::ProposalType),
            ProposalKind::Other(_) => return Err(Refusal::ProposalType),
            ProposalKind::PreSharedKey(PskView::Resumption) => return Err(Refusal::ProposalType),
            ProposalKind::GroupContextExtensions(_) => contexts += 1,
            ProposalKind::Add(_)
            | ProposalKind::PreSharedKey(PskView::External(_))
            | ProposalKind::Remove(_)
            | ProposalKind::SelfRemove
            | ProposalKind::Update(_) => {}
        }
    }
    if contexts > 1 { Err(Refusal::ProposalType) } else { Ok(()) }
}

/// Rule 2: who comes in was let in by an admitter, with proof of the link.
fn admission(
    group: &GroupView,
    commit: &CommitView,
    committer: &Committer<'_>,
) -> Result<(), Refusal> {
    let psks: Vec<_> = commit.proposals.iter().filter_map(psk).collect();
    if psks.iter().any(|id| *id != group.link_psk) {
        return Err(Refusal::WrongLinkSecret);
    }
    if psks.len() > 1 {
        return Err(Refusal::ManyLinkSecrets);
    }
    let adds = commit.proposals.iter().any(|p| matches!(p.kind, ProposalKind::Add(_)));
    if !adds {
        return Ok(());
    }
    if committer.role < Role::Admitter {
        return Err(Refusal::NotAdmitter);
    }
    if psks.is_empty() {
        return Err(Refusal::NoLinkSecret);
    }
    if group.order.locked { Err(Refusal::Locked) } else { Ok(()) }
}

fn psk(proposal: &ProposalView) -> Option<&[u8]> {
    match &proposal.kind {
        ProposalKind::PreSharedKey(PskView::External(id)) => Some(id),
        ProposalKind::Add(_)
        | ProposalKind::ExternalInit
        | ProposalKind::GroupContextExtensions(_)
        | ProposalKind::Other(_)
        | ProposalKind::PreSharedKey(PskView::Resumption)
        | ProposalKind::Remove(_)
        | ProposalKind::SelfRemove
        | ProposalKind::Update(_) => None,
    }
}

/// Rule 3: who comes in alone has the link, and a right to.
fn external(
    group: &GroupView,
    commit: &CommitView,
    identity: IdentityCheck,
) -> Result<(), Refusal> {
    let joiner = commit.path.as_ref().ok_or(Refusal::UnknownCommitter)?;
    if !commit.proposals.iter().any(|proposal| psk(proposal).is_some()) {
        return Err(Refusal::NoLinkSecret);
    }
    if commit.proposals.iter().any(|proposal| {
        !matches!(
            proposal.kind,
            ProposalKind::ExternalInit | ProposalKind::PreSharedKey(_) | ProposalKind::Remove(_)
        )
    }) {
        return Err(Refusal::ProposalType);
    }
    if identity == IdentityCheck::Failed {
        return Err(Refusal::Identity);
    }
    if joiner.host_proven {
        // A host comes, comes back, or takes over: never locked out of their own meeting.
        return Ok(());
    }
    if group.order.locked {
        return Err(Refusal::Locked);
    }
    match (group.constitution.mode, identity) {
        (Mode::OpenLink, IdentityCheck::Guest) if !group.constitution.guests => {
            Err(Refusal::NotAdmitted)
        }
        (Mode::OpenLink, _) => Ok(()),
        (Mode::VerifiedAuto, IdentityCheck::Hidden | IdentityCheck::Verified) => Ok(()),
        (Mode::Lobby, _) | (Mode::VerifiedAuto, IdentityCheck::Failed | IdentityCheck::Guest) => {
            Err(Refusal::NotAdmitted)
        }
    }
}

/// Rule 4: what others proposed is theirs to propose. The server may propose removals only.
fn proposers(group: &GroupView, commit: &CommitView) -> Result<(), Refusal> {
    for ProposalView { sender, kind } in &commit.proposals {
        match (sender, kind) {
            (ProposalSender::Committer, ProposalKind::SelfRemove | ProposalKind::Update(_)) => {
                // RFC 9420 section 12.2: a committer's own update is the path.
                return Err(Refusal::Proposer);
            }
            (ProposalSender::Committer, _) => {}
            (ProposalSender::Server(0), ProposalKind::Remove(target))
                if group.leaves.contains_key(target) => {}
            (
                ProposalSender::Member(member),
                ProposalKind::Remove(_) | ProposalKind::SelfRemove | ProposalKind::Update(_),
            ) if group.leaves.contains_key(member) => {}
            (
                ProposalSender::Member(_) | ProposalSender::NewMember | ProposalSender::Server(_),
                _,
            ) => return Err(Refusal::Proposer),
        }
    }
    Ok(())
}

/// Rule 5: who is removed was removed by someone who may, or leaves.
fn removals(
    group: &GroupView,
    commit: &CommitView,
    committer: &Committer<'_>,
) -> Result<BTreeSet<u32>, Refusal> {
    let mut removed = BTreeSet::new();
    for ProposalView { sender, kind } in &commit.proposals {
        let target = match (kind, sender) {
            (ProposalKind::Remove(target), _) => *target,
            (ProposalKind::SelfRemove, ProposalSender::Member(member)) => *member,
            (
                ProposalKind::Add(_)
                | ProposalKind::ExternalInit
                | ProposalKind::GroupContextExtensions(_)
                | ProposalKind::Other(_)
                | ProposalKind::PreSharedKey(_)
                | ProposalKind::SelfRemove
                | ProposalKind::Update(_),
                _,
            ) => continue,
        };
        let leaf = group.leaves.get(&target).ok_or(Refusal::UnknownTarget)?;
        let may = match (kind, sender) {
            (ProposalKind::SelfRemove, _) | (_, ProposalSender::Server(_)) => true,
            (_, ProposalSender::Committer) if committer.index.is_none() => {
                is_same_person(committer.leaf, leaf)
            }
            (_, ProposalSender::Committer) => may_remove(committer.role, group.role(leaf)),
            (_, ProposalSender::Member(member)) => group
                .leaves
                .get(member)
                .is_some_and(|m| may_remove(group.role(m), group.role(leaf))),
            (_, ProposalSender::NewMember) => false,
        };
        if !may || committer.index == Some(target) {
            return Err(Refusal::NotRemover);
        }
        if !removed.insert(target) {
            return Err(Refusal::UnknownTarget);
        }
    }
    Ok(removed)
}

/// Whether a member has removed a leaf by a proposal of its own.
fn is_put_out(commit: &CommitView, leaf: u32) -> bool {
    commit.proposals.iter().any(|ProposalView { sender, kind }| {
        *kind == ProposalKind::Remove(leaf) && !matches!(sender, ProposalSender::Server(_))
    })
}

/// A host removes anyone; others from admitter on remove those below them.
fn may_remove(remover: Role, target: Role) -> bool {
    remover == Role::Host || (remover >= Role::Admitter && target < remover)
}

/// Whether a joiner is the one who held a leaf before: the same device's stay, or the host again.
fn is_same_person(joiner: &LeafView, old: &LeafView) -> bool {
    let same_stay =
        joiner.credential == old.credential && joiner.signature_key == old.signature_key;
    same_stay || (joiner.host_proven && old.host_proven)
}

/// Rule 6: nobody changes who they are, and nobody is there twice.
fn identities(
    group: &GroupView,
    commit: &CommitView,
    committer: &Committer<'_>,
    removed: &BTreeSet<u32>,
) -> Result<(), Refusal> {
    if committer.index.is_some() && commit.path.as_ref().is_some_and(|new| new != committer.leaf) {
        return Err(Refusal::IdentityChanged);
    }
    for ProposalView { sender, kind } in &commit.proposals {
        if let ProposalKind::Update(new) = kind {
            let ProposalSender::Member(member) = sender else { return Err(Refusal::Proposer) };
            if group.leaves.get(member) != Some(&**new) {
                return Err(Refusal::IdentityChanged);
            }
        }
    }

    let staying = group.leaves.iter().filter(|(index, _)| !removed.contains(index));
    let mut credentials: BTreeSet<_> = staying.clone().map(|(_, leaf)| leaf.credential).collect();
    let mut keys: BTreeSet<_> = staying.map(|(_, leaf)| leaf.signature_key.as_slice()).collect();
    let added = commit.proposals.iter().filter_map(|proposal| match &proposal.kind {
        ProposalKind::Add(package) => Some(&package.leaf),
        ProposalKind::ExternalInit
        | ProposalKind::GroupContextExtensions(_)
        | ProposalKind::Other(_)
        | ProposalKind::PreSharedKey(_)
        | ProposalKind::Remove(_)
        | ProposalKind::SelfRemove
        | ProposalKind::Update(_) => None,
    });
    let joiner = committer.index.is_none().then_some(committer.leaf);
    for leaf in added.chain(joiner) {
        if !credentials.insert(leaf.credential) || !keys.insert(&leaf.signature_key) {
            return Err(Refusal::Twice);
        }
    }
    Ok(())
}

/// Rule 7: key packages are of the meeting's suite, fresh, able, and of someone.
fn key_packages(group: &GroupView, commit: &CommitView) -> Result<Vec<Entry>, Refusal> {
    let mut added = Vec::new();
    for proposal in &commit.proposals {
        if let ProposalKind::Add(package) = &proposal.kind {
            added.push(check_key_package(&group.constitution, group.now_unix_s, package)?);
        }
    }
    Ok(added)
}

/// Puts a key package to rule 7: of the meeting's suite, fresh, able to read its extensions, and of
/// someone. Whoever admits does so before a knock is shown; with the commit, everybody does.
///
/// # Errors
///
/// Nobody may be added with it.
pub fn check_key_package(
    constitution: &Constitution,
    now_unix_s: u64,
    package: &KeyPackageView,
) -> Result<Entry, Refusal> {
    if package.suite != constitution.suite {
        return Err(Refusal::Suite);
    }
    let now = now_unix_s;
    let span = package.not_after_unix_s.checked_sub(package.not_before_unix_s);
    let is_short = span.is_some_and(|s| s <= MAX_LIFETIME.as_secs() + CLOCK_SKEW_S);
    let is_now = package.not_before_unix_s <= now.saturating_add(CLOCK_SKEW_S)
        && now <= package.not_after_unix_s.saturating_add(CLOCK_SKEW_S);
    if !is_short || !is_now {
        return Err(Refusal::Lifetime);
    }
    if !package.capable {
        return Err(Refusal::Capabilities);
    }
    match package.identity {
        IdentityCheck::Failed => Err(Refusal::Identity),
        IdentityCheck::Guest if !constitution.guests && !package.leaf.host_proven => {
            Err(Refusal::NotAdmitted)
        }
        IdentityCheck::Guest | IdentityCheck::Hidden | IdentityCheck::Verified => {
            Ok(Entry { credential: package.leaf.credential, identity: package.identity })
        }
    }
}

/// Rule 1, of the context: only the order changes, by someone who may change that much of it, and
/// protection is never lowered.
fn context(group: &GroupView, commit: &CommitView, role: Role) -> Result<Option<Order>, Refusal> {
    for proposal in &commit.proposals {
        if let ProposalKind::GroupContextExtensions(new) = &proposal.kind {
            let ContextView { order: Some(order), rest_unchanged: true } = &**new else {
                return Err(Refusal::Context);
            };
            if order.classification < group.order.classification {
                return Err(Refusal::Lowered);
            }
            if !may_change(role, &group.order, order) {
                return Err(Refusal::NotHost);
            }
            return Ok(Some(order.clone()));
        }
    }
    Ok(None)
}

fn may_change(role: Role, old: &Order, new: &Order) -> bool {
    // A co-host appoints and dismisses those below itself.
    let others = |order: &Order| -> Vec<_> {
        order.roles.iter().filter(|entry| entry.role >= Role::CoHost).copied().collect()
    };
    match role {
        Role::Host => true,
        Role::CoHost => others(old) == others(new),
        Role::Admitter | Role::Presenter | Role::Guest => false,
    }
}

/// Rule 8: no commit that does nothing while something is to do, and no storms of them.
fn pace(group: &GroupView, commit: &CommitView) -> Result<(), Refusal> {
    let CommitSender::Member(index) = commit.sender else { return Ok(()) };
    if !commit.is_update() {
        return Ok(());
    }
    if !group.pending_removes.is_empty() {
        return Err(Refusal::Idle);
    }
    match &group.updates {
        UpdateClock::Measured(last) => {
            let since = last.get(&index).map(|at| group.now_unix_s.saturating_sub(*at));
            let soon = since.is_some_and(|since| since < UPDATE_SPACING.as_secs());
            if soon { Err(Refusal::TooSoon) } else { Ok(()) }
        }
        UpdateClock::NotMeasured => Ok(()),
    }
}

/// The rules of acceptance, by number.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Rule {
    /// Which proposals there are, and what of the context may change.
    Types = 1,
    /// Who lets people in, and with what.
    Admission = 2,
    /// Who may come in alone.
    ExternalCommit = 3,
    /// What others may propose.
    Proposers = 4,
    /// Who removes whom.
    Removal = 5,
    /// Nobody changes who they are.
    Identity = 6,
    /// Which key packages are taken.
    KeyPackage = 7,
    /// How often, and not for nothing.
    Pace = 8,
    /// What was refused stays refused.
    Stop = 9,
}

/// Why a commit is refused.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, thiserror::Error)]
pub enum Refusal {
    /// A key package cannot read the meeting's extensions.
    #[error("someone was added whose program cannot read the meeting's policy")]
    Capabilities,
    /// The commit would change the constitution or other fixed parts of the context.
    #[error("the meeting's fixed policy would be changed")]
    Context,
    /// The meeting has as many members as it may.
    #[error("the meeting is full")]
    Full,
    /// An identity cannot be opened or verified.
    #[error("someone's identity is broken")]
    Identity,
    /// A member's credential, identity or key would change.
    #[error("a member would become someone else")]
    IdentityChanged,
    /// A commit without proposals while removals are pending.
    #[error("a commit does nothing while a removal is pending")]
    Idle,
    /// A key package is expired, not yet valid, or valid for too long.
    #[error("someone was added with an expired or too long-lived key package")]
    Lifetime,
    /// The meeting is locked.
    #[error("the meeting is locked")]
    Locked,
    /// The classification would be lowered.
    #[error("the meeting's classification would be lowered")]
    Lowered,
    /// More than one pre-shared key.
    #[error("a commit names several link secrets")]
    ManyLinkSecrets,
    /// No proof that who comes in holds the link.
    #[error("someone would come in without the link's secret")]
    NoLinkSecret,
    /// The policy lets this person in through an admitter only, or not at all.
    #[error("someone would come in whom the meeting's policy does not let in")]
    NotAdmitted,
    /// The committer is no admitter.
    #[error("someone was added by a member who may not admit")]
    NotAdmitter,
    /// The committer is no host.
    #[error("the meeting's order would be changed by someone who may not")]
    NotHost,
    /// The remover may not remove the target.
    #[error("someone was removed by a member who may not")]
    NotRemover,
    /// A proposal is not its sender's to make.
    #[error("a proposal is not its sender's to make")]
    Proposer,
    /// A proposal of a type that meetings do not use.
    #[error("a proposal is of a kind that meetings do not use")]
    ProposalType,
    /// A commit was refused before.
    #[error("the group was stopped when a commit was refused")]
    Stopped,
    /// A key package of another cipher suite.
    #[error("someone was added with another cipher suite")]
    Suite,
    /// A member updates too often.
    #[error("a member updates too often")]
    TooSoon,
    /// A device would be in the group twice.
    #[error("a device would be in the group twice")]
    Twice,
    /// The committer is nobody in the group.
    #[error("the commit is of no known member")]
    UnknownCommitter,
    /// The removed leaf is empty, or removed twice.
    #[error("someone was removed who is not there")]
    UnknownTarget,
    /// A pre-shared key other than the link's.
    #[error("a commit names another secret than the link's")]
    WrongLinkSecret,
}

impl Refusal {
    /// The rule that was broken.
    pub const fn rule(self) -> Rule {
        match self {
            Self::Context | Self::Lowered | Self::NotHost | Self::ProposalType => Rule::Types,
            Self::Full
            | Self::Locked
            | Self::ManyLinkSecrets
            | Self::NoLinkSecret
            | Self::NotAdmitter
            | Self::WrongLinkSecret => Rule::Admission,
            Self::NotAdmitted | Self::UnknownCommitter => Rule::ExternalCommit,
            Self::Proposer => Rule::Proposers,
            Self::NotRemover | Self::UnknownTarget => Rule::Removal,
            Self::IdentityChanged | Self::Twice => Rule::Identity,
            Self::Capabilities | Self::Identity | Self::Lifetime | Self::Suite => Rule::KeyPackage,
            Self::Idle | Self::TooSoon => Rule::Pace,
            Self::Stopped => Rule::Stop,
        }
    }
}
