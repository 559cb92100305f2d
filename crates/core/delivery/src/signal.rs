//! The group's part of signalling, as this service takes and gives it.

use conclave_model::ParticipantId;
use conclave_wire::{GroupNews, GroupRequest, MlsBytes};

use crate::message::{CommitHash, Input, ToDevice};

/// What a device asks, as an input.
///
/// # Errors
///
/// A hash has another length than a hash.
pub fn request(from: ParticipantId, request: GroupRequest) -> Result<Input, NotRequest> {
    Ok(match request {
        GroupRequest::App { message } => Input::App { from, message: message.into_bytes() },
        GroupRequest::Commit { commit, welcome, group_info } => Input::Commit {
            from,
            commit: commit.into_bytes(),
            welcome: welcome.map(MlsBytes::into_bytes),
            group_info: group_info.into_bytes(),
        },
        GroupRequest::Deny { knocker } => Input::Deny { from, knocker },
        GroupRequest::FetchGroup => Input::FetchGroup { from },
        GroupRequest::Found { group_info, tree } => {
            Input::Found { from, group_info: group_info.into_bytes(), tree: tree.into_bytes() }
        }
        GroupRequest::Knock { key_package } => {
            Input::Knock { from, key_package: key_package.into_bytes() }
        }
        GroupRequest::LogSince { epoch } => Input::LogSince { from, epoch },
        GroupRequest::Nack { epoch: _, commit } => {
            let hash = commit.as_bytes().try_into().map_err(|_| NotRequest)?;
            Input::Nack { from, commit: CommitHash(hash) }
        }
        GroupRequest::Ready { epoch } => Input::Ready { from, epoch },
    })
}

/// The request has a part of the wrong length.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("the request has a part of the wrong length")]
pub struct NotRequest;

/// What a device is told of the group. Nothing for what signalling says in its own words
/// ([`ToDevice::Resumed`]) or not at all ([`ToDevice::Refused`]).
pub fn news(message: &ToDevice) -> Option<GroupNews> {
    let bytes = |bytes: &[u8]| MlsBytes::new(bytes.to_vec());
    Some(match message {
        ToDevice::Accepted { epoch } => GroupNews::Accepted { epoch: *epoch },
        ToDevice::AllReady { epoch } => GroupNews::AllReady { epoch: *epoch },
        ToDevice::App { message } => GroupNews::App { message: bytes(message) },
        ToDevice::Commit { commit } => GroupNews::Commit { commit: bytes(commit) },
        ToDevice::Denied => GroupNews::Denied,
        ToDevice::Founded => GroupNews::Founded,
        ToDevice::FoundRefused { .. } => GroupNews::FoundLost,
        ToDevice::Group { group_info, tree } => {
            GroupNews::Group { group_info: bytes(group_info), tree: bytes(tree) }
        }
        ToDevice::Knock { from, key_package } => {
            GroupNews::Knock { from: *from, key_package: bytes(key_package) }
        }
        ToDevice::KnockAgain => GroupNews::KnockAgain,
        ToDevice::KnockGone { from } => GroupNews::KnockGone { from: *from },
        ToDevice::Log { messages } => {
            GroupNews::Log { messages: messages.iter().map(|message| bytes(message)).collect() }
        }
        ToDevice::Meeting { server_key, has_group, has_admitter } => GroupNews::Meeting {
            server_key: bytes(server_key),
            has_group: *has_group,
            has_admitter: *has_admitter,
        },
        ToDevice::Proposal { proposal } => GroupNews::Proposal { proposal: bytes(proposal) },
        ToDevice::Rejected { epoch, .. } => GroupNews::Rejected { epoch: *epoch },
        ToDevice::Voided { epoch } => GroupNews::Voided { epoch: *epoch },
        ToDevice::Welcome { welcome, tree } => {
            GroupNews::Welcome { welcome: bytes(welcome), tree: bytes(tree) }
        }
        ToDevice::Refused { .. } | ToDevice::Resumed => return None,
    })
}
