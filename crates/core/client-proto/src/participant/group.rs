//! What the meeting's group has to say, and what follows from it.

use conclave_e2ee::{End, Failure, Said, Say, State};
use conclave_wire::ClientMessage;

use crate::io::{EndReason, Event};
use crate::member::MemberEvent;
use crate::participant::Participant;
use crate::report::GroupReport;

impl Participant {
    /// Says what the session wants said, and takes in what it has to tell.
    pub(super) fn collect_group(&mut self) {
        // A device that is not at the door yet says it again once it is.
        let requests = std::mem::take(&mut self.member.requests);
        if self.signal.is_entered() {
            requests.into_iter().for_each(|request| self.say(ClientMessage::Group { request }));
        }
        for event in std::mem::take(&mut self.member.events) {
            match event {
                MemberEvent::Said(said) => self.handle_said(said),
                MemberEvent::State(state) => self.handle_state(state),
            }
        }
    }

    fn handle_said(&mut self, said: Said) {
        if let Say::Chat(text) = said.say {
            self.chat_messages += 1;
            self.tell(Event::Chat { name: said.name, text });
        }
    }

    fn handle_state(&mut self, state: State) {
        let end = end_of(&state);
        self.tell(Event::State(state));
        if let Some(reason) = end {
            self.end(reason);
        }
    }

    pub(super) fn report_group(&self) -> GroupReport {
        let session = self.member.session();
        let people = session.roster().into_iter().flat_map(|people| people.values());
        GroupReport {
            state: name_of(session.state()).to_owned(),
            epoch: session.epoch(),
            leaf: session.own_leaf(),
            roster: people.map(|person| person.name.clone()).collect(),
            safety_code: session.safety_code().map(|code| code.to_string()),
            chat_messages: self.chat_messages,
        }
    }
}

/// Whether a participant that nobody sits in front of goes on.
const fn end_of(state: &State) -> Option<EndReason> {
    match state {
        State::Ended(End::Left) => Some(EndReason::Left),
        State::Ended(End::Over) => Some(EndReason::Over),
        State::Failed(Failure::Denied) => Some(EndReason::Denied),
        State::Failed(failure) => Some(EndReason::NotIn(*failure)),
        State::Forked(_) | State::Refused(_) => Some(EndReason::Forked),
        State::Removed => Some(EndReason::Removed),
        State::CatchingUp { .. }
        | State::ComingIn
        | State::Connecting
        | State::Founding
        | State::InGroup
        | State::Knocking
        | State::ProvingHost
        | State::Stranded { .. }
        | State::Suspended(_)
        | State::WaitingForHost => None,
    }
}

/// What reports call a state.
const fn name_of(state: &State) -> &'static str {
    match state {
        State::CatchingUp { .. } => "catchingUp",
        State::ComingIn => "comingIn",
        State::Connecting => "connecting",
        State::Ended(_) => "ended",
        State::Failed(_) => "failed",
        State::Forked(_) => "forked",
        State::Founding => "founding",
        State::InGroup => "inGroup",
        State::Knocking => "knocking",
        State::ProvingHost => "provingHost",
        State::Refused(_) => "refused",
        State::Removed => "removed",
        State::Stranded { .. } => "stranded",
        State::Suspended(_) => "suspended",
        State::WaitingForHost => "waitingForHost",
    }
}
