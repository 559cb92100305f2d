//! The whole group as the page shows it.

use conclave_commit_rules::{Classification, Mute, Order};
use conclave_e2ee::{
    Basis, End, Failure, Gap, KnockView, Person, Proof, Session, Shield, ShieldLevel, State,
    Suspension,
};
use conclave_mls::JoinError;
use conclave_model::ParticipantId;
use conclave_wire::{
    GroupOrder, GroupView, MemberState, MuteWhat, MutedMember, PersonProof, ShieldBasis, ShieldGap,
    ShieldView,
};

use crate::setup::text;
use crate::told::role;

/// What there is to show of a session.
pub(crate) fn of(session: &Session) -> GroupView {
    GroupView {
        state: state(session.state()),
        own_leaf: session.own_leaf(),
        own_credential: session.credential().map(|id| text(&id.0)),
        epoch: session.epoch(),
        people: session.roster().into_iter().flat_map(|all| all.values().map(person)).collect(),
        order: session.order().map(order).unwrap_or_default(),
        knocks: session.knocks().into_iter().filter_map(knock).collect(),
        safety_code: session.safety_code().map(|code| code.to_string()),
        shield: shield(&session.shield()),
    }
}

const fn state(state: &State) -> MemberState {
    match state {
        State::CatchingUp { seen: _ } => MemberState::CatchingUp,
        State::ComingIn => MemberState::ComingIn,
        State::Connecting => MemberState::Connecting,
        State::Ended(End::Left) => MemberState::Left,
        State::Ended(End::Over) => MemberState::Over,
        State::Failed(failure) => self::failure(failure),
        State::Forked(_) => MemberState::Forked,
        State::Founding => MemberState::Founding,
        State::InGroup => MemberState::InGroup,
        State::Knocking => MemberState::Knocking,
        State::ProvingHost => MemberState::ProvingHost,
        State::Refused(_) => MemberState::Refused,
        State::Removed => MemberState::Removed,
        State::Stranded { commit: _ } => MemberState::Stranded,
        State::Suspended(Suspension::Silence) => MemberState::SuspendedSilence,
        State::Suspended(Suspension::Withheld { seen: _ }) => MemberState::SuspendedWithheld,
        State::WaitingForHost => MemberState::WaitingForHost,
    }
}

const fn failure(failure: &Failure) -> MemberState {
    match failure {
        Failure::Constitution(_) => MemberState::FailedPolicy,
        Failure::Denied => MemberState::Denied,
        Failure::Device(_) | Failure::Found(_) | Failure::Identity => MemberState::FailedDevice,
        Failure::HostProof => MemberState::FailedHostKey,
        Failure::Join(JoinError::NoLinkSecret | JoinError::NotAdmitter) => {
            MemberState::FailedInviter
        }
        Failure::Join(
            JoinError::Context(_)
            | JoinError::Library
            | JoinError::Malformed
            | JoinError::NotAdmitted
            | JoinError::OtherMeeting
            | JoinError::Twice
            | JoinError::View(_)
            | JoinError::Welcome,
        ) => MemberState::FailedInvitation,
        Failure::Member(_) => MemberState::FailedMember,
    }
}

fn person(person: &Person) -> conclave_wire::Person {
    conclave_wire::Person {
        leaf: person.leaf,
        credential: text(&person.credential.0),
        name: person.name.clone(),
        role: role(person.role),
        proof: match person.proof {
            Proof::HostKey => PersonProof::HostKey,
            Proof::LinkOnly => PersonProof::LinkOnly,
        },
        name_shared: person.name_shared,
        arrived: person.arrived.is_some(),
        leaving: person.leaving,
        is_self: person.is_self,
    }
}

fn order(order: &Order) -> GroupOrder {
    GroupOrder { locked: order.locked, mutes: order.mutes.iter().map(muted).collect() }
}

fn muted(mute: &Mute) -> MutedMember {
    let (who, what) = match mute {
        Mute::Camera(who) => (who, MuteWhat::Camera),
        Mute::Chat(who) => (who, MuteWhat::Chat),
        Mute::Microphone(who) => (who, MuteWhat::Microphone),
        Mute::Screen(who) => (who, MuteWhat::Screen),
    };
    MutedMember { credential: text(&who.0), what }
}

/// Every knock's number came from the wire, where it is a participant's.
fn knock(knock: KnockView) -> Option<conclave_wire::KnockView> {
    Some(conclave_wire::KnockView {
        knocker: ParticipantId(knock.id.0.try_into().ok()?),
        name: knock.name,
        host_proven: knock.host_proven,
        name_shared: knock.name_shared,
    })
}

fn shield(shield: &Shield) -> ShieldView {
    ShieldView {
        level: match shield.level {
            ShieldLevel::None => conclave_wire::ShieldLevel::None,
            ShieldLevel::Unverified => conclave_wire::ShieldLevel::Unverified,
            ShieldLevel::Compared => conclave_wire::ShieldLevel::Compared,
            ShieldLevel::Doubtful => conclave_wire::ShieldLevel::Doubtful,
            ShieldLevel::Stopped => conclave_wire::ShieldLevel::Stopped,
        },
        based_on: shield.based_on.iter().map(basis).collect(),
        not_covered: shield.not_covered.iter().map(gap).collect(),
    }
}

fn basis(basis: &Basis) -> ShieldBasis {
    match *basis {
        Basis::Constitution => ShieldBasis::Constitution,
        Basis::Classification(classification) => ShieldBasis::Classification {
            classification: match classification {
                Classification::Open => "open",
                Classification::Internal => "internal",
                Classification::Confidential => "confidential",
                Classification::Secret => "secret",
            }
            .to_owned(),
        },
        Basis::CodeCompared { epoch: _ } => ShieldBasis::CodeCompared,
        Basis::GroupKeys { epoch: _, members } => {
            ShieldBasis::GroupKeys { members: count(members) }
        }
        Basis::Heard { heard, others } => {
            ShieldBasis::Heard { heard: count(heard), others: count(others) }
        }
        Basis::Hosts(hosts) => ShieldBasis::Hosts { count: count(hosts) },
        Basis::LinkSecret => ShieldBasis::LinkSecret,
    }
}

fn gap(gap: &Gap) -> ShieldGap {
    match *gap {
        Gap::ClientCode => ShieldGap::ClientCode,
        Gap::CodeNotCompared => ShieldGap::CodeNotCompared,
        Gap::Gateways => ShieldGap::Gateways,
        Gap::Insider => ShieldGap::Insider,
        Gap::Metadata => ShieldGap::Metadata,
        Gap::Unverified(unverified) => ShieldGap::Unverified { count: count(unverified) },
        Gap::VoiceLevel => ShieldGap::VoiceLevel,
    }
}

fn count(number: usize) -> u32 {
    number.try_into().unwrap_or(u32::MAX)
}
