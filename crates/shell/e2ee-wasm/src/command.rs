//! What the person wants, from the page's words into the session's.

use conclave_commit_rules::{Mute, Role};
use conclave_e2ee::{Command, KnockId, Reaction, Say};
use conclave_model::ParticipantId;
use conclave_wire::{GroupCommand, MemberRole, MuteWhat, SayWhat};

use crate::setup::credential;

/// `None` if it means someone by something that is no credential.
pub(crate) fn parse(command: GroupCommand) -> Option<Command> {
    Some(match command {
        GroupCommand::Admit { knocker } => Command::Admit(knock(knocker)),
        GroupCommand::Appoint { credential: who, role: to } => {
            Command::Appoint(credential(&who)?, role(to))
        }
        GroupCommand::CodeCompared => Command::CodeCompared,
        GroupCommand::Deny { knocker } => Command::Deny(knock(knocker)),
        GroupCommand::Kick { credential: who } => Command::Kick(credential(&who)?),
        GroupCommand::Leave => Command::Leave,
        GroupCommand::Lock { locked } => Command::Lock(locked),
        GroupCommand::Mute { credential: who, what, on } => {
            let who = credential(&who)?;
            let mute = match what {
                MuteWhat::Camera => Mute::Camera(who),
                MuteWhat::Chat => Mute::Chat(who),
                MuteWhat::Microphone => Mute::Microphone(who),
                MuteWhat::Screen => Mute::Screen(who),
            };
            Command::Mute(mute, on)
        }
        GroupCommand::Rejoin => Command::Rejoin,
        GroupCommand::Say { say } => Command::Say(self::say(say)?),
    })
}

fn say(say: SayWhat) -> Option<Say> {
    Some(match say {
        SayWhat::AskMute { credential: None } => Say::AskMute(None),
        SayWhat::AskMute { credential: Some(who) } => Say::AskMute(Some(credential(&who)?)),
        SayWhat::Chat { text } => Say::Chat(text),
        SayWhat::Hand { up } => Say::Hand(up),
        SayWhat::Reaction { reaction } => Say::Reaction(match reaction {
            conclave_wire::Reaction::Clap => Reaction::Clap,
            conclave_wire::Reaction::Heart => Reaction::Heart,
            conclave_wire::Reaction::Laugh => Reaction::Laugh,
            conclave_wire::Reaction::Surprise => Reaction::Surprise,
            conclave_wire::Reaction::ThumbDown => Reaction::ThumbDown,
            conclave_wire::Reaction::ThumbUp => Reaction::ThumbUp,
        }),
    })
}

fn knock(knocker: ParticipantId) -> KnockId {
    KnockId(u64::from(knocker.0))
}

const fn role(role: MemberRole) -> Role {
    match role {
        MemberRole::Guest => Role::Guest,
        MemberRole::Presenter => Role::Presenter,
        MemberRole::Admitter => Role::Admitter,
        MemberRole::CoHost => Role::CoHost,
        MemberRole::Host => Role::Host,
    }
}
