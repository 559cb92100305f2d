//! Between the clients and the delivery service of the meeting's group.

use std::time::Instant;

use conclave_commit_rules::Constitution;
use conclave_delivery::{
    DeliveryService, Input, Output as Told, ProposalKey, RequestRefusal, Snapshot, ToDevice, news,
    request,
};
use conclave_model::ParticipantId;
use conclave_wire::{ErrorCode, GroupRequest, ServerMessage};

use super::Call;
use crate::output::Output;
use crate::participant::Link;
use crate::session::ConnectionId;

/// News that may wait for a `joined`.
const MAX_HELD: usize = 256;

/// Sets up the service, with the group of before a restart if there was one.
pub(super) fn service(
    constitution: Constitution,
    key: ProposalKey,
    group: Option<&Snapshot>,
    now: Instant,
    now_unix_s: u64,
) -> DeliveryService {
    if let Some(group) = group {
        let constitution = constitution.clone();
        match DeliveryService::restore(constitution, key.clone(), group, now, now_unix_s) {
            Ok(service) => return service,
            Err(error) => {
                tracing::error!(error = &error as &dyn std::error::Error, "a group is lost");
            }
        }
    }
    DeliveryService::new(constitution, key, now, now_unix_s)
}

impl Call {
    pub(super) fn group_request(&mut self, connection: ConnectionId, asked: GroupRequest) {
        let Some((id, participant)) = self.participant_mut(connection) else { return };
        if participant.online().is_none() {
            return self.refuse(connection, ErrorCode::BadMessage, "not before `joined`");
        }
        match request(id, asked) {
            Ok(input) => self.ask_delivery(input),
            Err(error) => self.refuse(connection, ErrorCode::BadMessage, &error.to_string()),
        }
    }

    /// Gives the delivery service an input, and does what it says.
    pub(super) fn ask_delivery(&mut self, input: Input) {
        let told = self.consult_delivery(input);
        self.heed_delivery(told);
    }

    /// Gives the delivery service an input, and answers what it says.
    pub(super) fn consult_delivery(&mut self, input: Input) -> Vec<Told> {
        self.delivery.handle_input(self.now, input);
        let mut told = Vec::new();
        loop {
            match self.delivery.poll_output() {
                Told::Timeout(at) => {
                    self.delivery_due = at;
                    return told;
                }
                output @ (Told::Gate(_) | Told::Order | Told::Persist | Told::Send { .. }) => {
                    told.push(output);
                }
            }
        }
    }

    /// Does what the delivery service says.
    pub(super) fn heed_delivery(&mut self, told: Vec<Told>) {
        let mut turned_away = Vec::new();
        let mut batch = Batch::default();
        for output in told {
            if let Told::Send { to, message } = output {
                self.tell(&mut batch, to, message);
                continue;
            }
            self.flush(&mut batch);
            match output {
                Told::Gate(gate) => turned_away.extend(self.move_gate(gate)),
                Told::Order => self.apply_order(),
                Told::Persist => self.outputs.push_back(Output::GroupChanged),
                Told::Send { .. } | Told::Timeout(_) => {}
            }
        }
        self.flush(&mut batch);
        for who in turned_away {
            self.ask_delivery(Input::Disconnected { who });
        }
    }

    /// Tells a device what the delivery service has for it. What goes to many in a row is written
    /// once.
    fn tell(&mut self, batch: &mut Batch, to: ParticipantId, message: ToDevice) {
        let Some(participant) = self.participants.get_mut(&to) else { return };
        match &mut participant.link {
            Link::Entering(entering) => {
                if entering.held.len() >= MAX_HELD {
                    // It has waited too long for what it has missed meanwhile.
                    entering.deadline = self.now;
                }
                entering.held.extend(said(&message));
            }
            Link::Lost => {}
            Link::Online(connection) => {
                let connection = *connection;
                if batch.message.as_ref() != Some(&message) {
                    self.flush(batch);
                    batch.message = Some(message);
                }
                batch.to.push(connection);
            }
        }
    }

    fn flush(&mut self, batch: &mut Batch) {
        let to = std::mem::take(&mut batch.to);
        if let Some(message) = batch.message.take().as_ref().and_then(said) {
            self.outputs.push_back(Output::Send { to, message });
        }
    }
}

/// A message and to whom it goes.
#[derive(Default)]
struct Batch {
    message: Option<ToDevice>,
    to: Vec<ConnectionId>,
}

/// What a device is told, in signalling's words.
fn said(message: &ToDevice) -> Option<ServerMessage> {
    if let ToDevice::Refused { why } = message {
        let code = match why {
            RequestRefusal::Full => ErrorCode::MeetingFull,
            RequestRefusal::Malformed
            | RequestRefusal::NotAllowed
            | RequestRefusal::NotMember
            | RequestRefusal::Twice => ErrorCode::BadMessage,
            RequestRefusal::TooOften => ErrorCode::RateLimited,
        };
        return Some(super::error(code, &why.to_string(), false));
    }
    news(message).map(|news| ServerMessage::Group { news })
}
