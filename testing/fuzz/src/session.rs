//! What a server tells a member of the group.

use std::cell::RefCell;
use std::time::Duration;

use conclave_e2ee::{FromServer, Input, State};

use crate::group::{GUEST, HOST, Rig, edited};

/// How many inputs one rig takes: it hears of no heartbeats, and grows suspicious.
const INPUTS: u32 = 500;

thread_local! {
    static RIG: RefCell<Option<(Rig, u32)>> = const { RefCell::new(None) };
}

/// Nothing that was edited moves a member's group: it drops it, or it stops.
///
/// The first byte says to whom, the second which true message to edit, or to send the rest as it is
/// in the place of one.
pub(crate) fn target(data: &[u8]) {
    let [to, which, rest @ ..] = data else { return };
    let to = if to % 2 == 0 { HOST } else { GUEST };
    RIG.with_borrow_mut(|slot| {
        if slot.as_ref().is_none_or(|(_, inputs)| *inputs >= INPUTS) {
            *slot = Some((Rig::new(), 0));
        }
        let Some((rig, inputs)) = slot else { return };
        *inputs += 1;
        let count = rig.told.len();
        let Some(sample) = rig.told.get(usize::from(which >> 1) % count.max(1)).cloned() else {
            return;
        };
        let is_raw = which & 1 == 1;
        let change = |bytes: &[u8]| if is_raw { Some(rest.to_vec()) } else { edited(bytes, rest) };
        let Some(changed) = changed(sample, change) else { return };
        let epoch = rig.member(to).epoch();
        rig.wait(Duration::from_millis(1));
        rig.tell(to, Input::Server(changed));
        drop(rig.requests(to));
        assert_eq!(rig.member(to).epoch(), epoch, "what was edited moved the group");
        if *rig.member(to).state() != State::InGroup {
            *slot = None;
        }
    });
}

/// The message with its first part changed; nothing for one without a part.
fn changed(
    message: FromServer,
    change: impl FnOnce(&[u8]) -> Option<Vec<u8>>,
) -> Option<FromServer> {
    Some(match message {
        FromServer::App(bytes) => FromServer::App(change(&bytes)?),
        FromServer::Commit(bytes) => FromServer::Commit(change(&bytes)?),
        FromServer::GroupInfo { info, tree } => {
            FromServer::GroupInfo { info: change(&info)?, tree }
        }
        FromServer::Knock(id, bytes) => FromServer::Knock(id, change(&bytes)?),
        FromServer::Log(messages) => FromServer::Log(vec![change(messages.last()?)?]),
        FromServer::Proposal(bytes) => FromServer::Proposal(change(&bytes)?),
        FromServer::Welcome { welcome, tree } => {
            FromServer::Welcome { welcome: change(&welcome)?, tree }
        }
        FromServer::Accepted(_)
        | FromServer::AllReady(_)
        | FromServer::Denied
        | FromServer::Ended
        | FromServer::FoundLost
        | FromServer::Founded
        | FromServer::KnockAgain
        | FromServer::KnockGone(_)
        | FromServer::Meeting { .. }
        | FromServer::Rejected(_)
        | FromServer::Voided(_) => return None,
    })
}
