//! The group's part of signalling, as the session takes and gives it.

use conclave_mls::ServerKey;
use conclave_model::ParticipantId;
use conclave_wire::{GroupNews, GroupRequest, MlsBytes};

use crate::input::{FromServer, KnockId};
use crate::output::ToServer;

impl TryFrom<GroupNews> for FromServer {
    type Error = NotNews;

    fn try_from(news: GroupNews) -> Result<Self, NotNews> {
        Ok(match news {
            GroupNews::Accepted { epoch } => Self::Accepted(epoch),
            GroupNews::AllReady { epoch } => Self::AllReady(epoch),
            GroupNews::App { message } => Self::App(message.into_bytes()),
            GroupNews::Commit { commit } => Self::Commit(commit.into_bytes()),
            GroupNews::Denied => Self::Denied,
            GroupNews::Founded => Self::Founded,
            GroupNews::FoundLost => Self::FoundLost,
            GroupNews::Group { group_info, tree } => {
                Self::GroupInfo { info: group_info.into_bytes(), tree: tree.into_bytes() }
            }
            GroupNews::Knock { from, key_package } => {
                Self::Knock(KnockId(u64::from(from.0)), key_package.into_bytes())
            }
            GroupNews::KnockAgain => Self::KnockAgain,
            GroupNews::KnockGone { from } => Self::KnockGone(KnockId(u64::from(from.0))),
            GroupNews::Log { messages } => {
                Self::Log(messages.into_iter().map(MlsBytes::into_bytes).collect())
            }
            GroupNews::Meeting { server_key, has_group, has_admitter } => {
                let key = server_key.as_bytes().try_into().map_err(|_| NotNews)?;
                Self::Meeting { server: ServerKey(key), has_group, has_admitter }
            }
            GroupNews::Proposal { proposal } => Self::Proposal(proposal.into_bytes()),
            GroupNews::Rejected { epoch } => Self::Rejected(epoch),
            GroupNews::Voided { epoch } => Self::Voided(epoch),
            GroupNews::Welcome { welcome, tree } => {
                Self::Welcome { welcome: welcome.into_bytes(), tree: tree.into_bytes() }
            }
        })
    }
}

/// The server's key has another length than a key.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("the server's key has the wrong length")]
pub struct NotNews;

impl ToServer {
    /// As signalling carries it. Nothing for [`ToServer::Leave`], which signalling says in its own
    /// words.
    pub fn into_request(self) -> Option<GroupRequest> {
        let bytes = MlsBytes::new;
        Some(match self {
            Self::App(message) => GroupRequest::App { message: bytes(message) },
            Self::Commit(outgoing) => GroupRequest::Commit {
                commit: bytes(outgoing.commit),
                welcome: outgoing.welcome.map(bytes),
                group_info: bytes(outgoing.group_info),
            },
            Self::Deny(KnockId(id)) => {
                GroupRequest::Deny { knocker: ParticipantId(u32::try_from(id).ok()?) }
            }
            Self::Found { info, tree } => {
                GroupRequest::Found { group_info: bytes(info), tree: bytes(tree) }
            }
            Self::Knock(key_package) => GroupRequest::Knock { key_package: bytes(key_package) },
            Self::Leave => return None,
            Self::LogSince(epoch) => GroupRequest::LogSince { epoch },
            Self::Nack { epoch, commit } => {
                GroupRequest::Nack { epoch, commit: bytes(commit.to_vec()) }
            }
            Self::Ready(epoch) => GroupRequest::Ready { epoch },
            Self::WantGroupInfo => GroupRequest::FetchGroup,
        })
    }
}
