//! What the session tells the worker, in words that JSON carries.

use std::time::Duration;

use conclave_commit_rules::Role;
use conclave_e2ee::{Event, NotDone, Reaction, Said, Say, ToServer, Warning};
use conclave_wire::{
    GroupEvent, GroupRequest, GroupView, MemberRole, MlsBytes, NotDoneReason, SayWhat, WarningKind,
};
use serde::Serialize;

use crate::setup::text;

/// One thing to do.
#[derive(Serialize)]
#[serde(tag = "type", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub(crate) enum Told {
    /// Tell the page.
    Event { event: GroupEvent },
    /// Send to the server.
    Request { request: GroupRequest },
    /// Have the host key sign this.
    SignHost { statement: MlsBytes },
    /// Call `timeout` at this time, of the clock of `at_ms`.
    Timeout { at_ms: Option<f64> },
    /// The group as it is.
    View { view: GroupView },
}

impl Told {
    /// `None` if all there is to know of it is in the view.
    pub(crate) fn event(event: Event) -> Option<Self> {
        let event = match event {
            Event::Epoch(_) | Event::Knocks(_) | Event::KnockRefused(_) | Event::State(_) => None,
            Event::NotDone(why) => Some(GroupEvent::NotDone { why: not_done(why) }),
            Event::Said(said) => Some(GroupEvent::Said { said: self::said(said) }),
            Event::Warning(warning) => Some(self::warning(warning)),
        };
        event.map(|event| Self::Event { event })
    }

    /// `None` for what is said by other means than the group's messages.
    pub(crate) fn request(message: ToServer) -> Option<Self> {
        message.into_request().map(|request| Self::Request { request })
    }

    pub(crate) const fn sign_host(statement: Vec<u8>) -> Self {
        Self::SignHost { statement: MlsBytes::new(statement) }
    }

    pub(crate) fn timeout(at: Option<Duration>) -> Self {
        Self::Timeout { at_ms: at.map(|at| at.as_secs_f64() * 1000.0) }
    }
}

pub(crate) const fn role(role: Role) -> MemberRole {
    match role {
        Role::Guest => MemberRole::Guest,
        Role::Presenter => MemberRole::Presenter,
        Role::Admitter => MemberRole::Admitter,
        Role::CoHost => MemberRole::CoHost,
        Role::Host => MemberRole::Host,
    }
}

fn said(said: Said) -> conclave_wire::Said {
    let Said { credential, leaf, name, role: sender, epoch: _, say } = said;
    let credential = text(&credential.0);
    conclave_wire::Said { credential, leaf, name, role: role(sender), say: self::say(say) }
}

fn say(say: Say) -> SayWhat {
    match say {
        Say::AskMute(who) => SayWhat::AskMute { credential: who.map(|who| text(&who.0)) },
        Say::Chat(text) => SayWhat::Chat { text },
        Say::Hand(up) => SayWhat::Hand { up },
        Say::Reaction(reaction) => SayWhat::Reaction {
            reaction: match reaction {
                Reaction::Clap => conclave_wire::Reaction::Clap,
                Reaction::Heart => conclave_wire::Reaction::Heart,
                Reaction::Laugh => conclave_wire::Reaction::Laugh,
                Reaction::Surprise => conclave_wire::Reaction::Surprise,
                Reaction::ThumbDown => conclave_wire::Reaction::ThumbDown,
                Reaction::ThumbUp => conclave_wire::Reaction::ThumbUp,
            },
        },
    }
}

const fn not_done(why: NotDone) -> NotDoneReason {
    match why {
        NotDone::NotNow => NotDoneReason::NotNow,
        NotDone::Refused(_) => NotDoneReason::Refused,
        NotDone::Text => NotDoneReason::Text,
        NotDone::Unknown => NotDoneReason::Unknown,
        NotDone::Unmade => NotDoneReason::Unmade,
    }
}

const fn warning(warning: Warning) -> GroupEvent {
    let (kind, leaf) = match warning {
        Warning::Conflict { epoch: _ } => (WarningKind::Conflict, None),
        Warning::Replayed { leaf } => (WarningKind::Replayed, leaf),
        Warning::Silence => (WarningKind::Silence, None),
        Warning::SilenceOver => (WarningKind::SilenceOver, None),
        Warning::Stalled => (WarningKind::Stalled, None),
        Warning::Suppressed { leaf, missing: _ } => (WarningKind::Suppressed, Some(leaf)),
        Warning::ServerOverreach => (WarningKind::ServerOverreach, None),
        Warning::Withheld { seen: _ } => (WarningKind::Withheld, None),
    };
    GroupEvent::Warning { kind, leaf }
}
