//! What devices send to the delivery service.

use std::cell::RefCell;
use std::time::Duration;

use conclave_delivery::request;
use conclave_model::ParticipantId;
use conclave_wire::{GroupRequest, MlsBytes};

use crate::group::{GUEST, HOST, Rig, STRANGER, edited};

/// A rig's keys are good for a day: a second passes with each input.
const INPUTS: u32 = 20_000;

thread_local! {
    static RIG: RefCell<Option<(Rig, u32)>> = const { RefCell::new(None) };
}

/// The confirmation and the membership tag end a commit (RFC 9420 section 6.2): with SHA-384, two
/// vectors of 48 bytes. The server has no keys for them; members refuse what is wrong there.
const TAGS_LEN: usize = 2 * (1 + 48);

/// Nothing that was edited moves the group, from whomever it comes, but for what members alone see.
///
/// The first byte says from whom, the second which true message to edit, or to send the rest as it
/// is in the place of one.
pub(crate) fn target(data: &[u8]) {
    let [from, which, rest @ ..] = data else { return };
    let from: ParticipantId = match from % 3 {
        0 => HOST,
        1 => GUEST,
        _ => STRANGER,
    };
    RIG.with_borrow_mut(|slot| {
        if slot.as_ref().is_none_or(|(_, inputs)| *inputs >= INPUTS) {
            *slot = Some((Rig::new(), 0));
        }
        let Some((rig, inputs)) = slot else { return };
        *inputs += 1;
        let count = rig.said.len();
        let Some(sample) = rig.said.get(usize::from(which >> 1) % count.max(1)).cloned() else {
            return;
        };
        let is_raw = which & 1 == 1;
        let mut in_tags = false;
        let change = |bytes: MlsBytes| {
            let sent = if is_raw { rest.to_vec() } else { edited(bytes.as_bytes(), rest)? };
            let signed = bytes.as_bytes().len().saturating_sub(TAGS_LEN);
            in_tags = sent.get(..signed) == bytes.as_bytes().get(..signed);
            Some(sent)
        };
        let Some(changed) = changed(sample, change) else { return };
        let Ok(input) = request(from, changed) else { return };
        let epoch = rig.service.epoch();
        rig.wait(Duration::from_secs(1));
        rig.ask(input);
        drop(rig.messages());
        if rig.service.epoch() != epoch {
            assert!(in_tags, "what was edited moved the group");
            *slot = None;
        }
    });
}

/// The request with its first part changed; nothing for one without a part.
fn changed(
    request: GroupRequest,
    change: impl FnOnce(MlsBytes) -> Option<Vec<u8>>,
) -> Option<GroupRequest> {
    let change = |bytes| change(bytes).map(MlsBytes::new);
    Some(match request {
        GroupRequest::App { message } => GroupRequest::App { message: change(message)? },
        GroupRequest::Commit { commit, welcome, group_info } => {
            GroupRequest::Commit { commit: change(commit)?, welcome, group_info }
        }
        GroupRequest::Found { group_info, tree } => {
            GroupRequest::Found { group_info: change(group_info)?, tree }
        }
        GroupRequest::Knock { key_package } => {
            GroupRequest::Knock { key_package: change(key_package)? }
        }
        GroupRequest::Nack { epoch, commit } => {
            GroupRequest::Nack { epoch, commit: change(commit)? }
        }
        GroupRequest::Deny { .. }
        | GroupRequest::FetchGroup
        | GroupRequest::LogSince { .. }
        | GroupRequest::Ready { .. } => return None,
    })
}
