//! A server's data, with a call in it whose members were cut off a moment ago: when a server starts
//! on it, they may come back. So a thousand are in a call without waiting for thirty commits.

use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Context as _;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use conclave_delivery::SaveError;
use conclave_link::{HostSeed, LinkKeys, LinkSecret, LinkToken, NONCE_LEN};
use conclave_model::{ParticipantId, TokenHash};
use conclave_store::{
    GroupChange, Meeting, ServerKey, Session, SqliteStore, Store as _, UnixMillis,
};
use tempfile::TempDir;

use super::group::{Group, ServerKeys};
use crate::meeting::random;

/// The data, and who may come back to the call in it.
pub(super) struct Site {
    folder: TempDir,
    pub(super) group: Group,
    /// What each member shows to come back.
    pub(super) tokens: Vec<(ParticipantId, LinkToken)>,
}

impl Site {
    /// Makes the data of a call of so many members.
    pub(super) async fn of(members: usize) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir().context("cannot make a folder")?;
        let store = SqliteStore::open(&folder.path().join("conclave.db")).await?;
        let key = async |key| {
            let seed = store.server_key(key, random::<32>()?.into()).await?;
            anyhow::Ok(HostSeed::from_bytes(*seed))
        };
        let keys = ServerKeys {
            node: key(ServerKey::Node).await?,
            proposals: key(ServerKey::Proposals).await?,
        };
        let group = Group::of(members, &keys)?;
        let tokens = tokens(&group)?;
        keep(&store, &group, &tokens).await?;
        store.close().await;
        Ok(Self { folder, group, tokens })
    }

    /// Where the data is.
    pub(super) fn folder(&self) -> &Path {
        self.folder.path()
    }
}

/// Makes a token for each member.
fn tokens(group: &Group) -> anyhow::Result<Vec<(ParticipantId, LinkToken)>> {
    let token = |who: &ParticipantId| {
        // Like the link's own, it is 32 bytes of which nothing can be guessed.
        let keys = LinkKeys::derive(&LinkSecret::from_bytes(random()?), &group.meeting);
        anyhow::Ok((*who, keys.token))
    };
    group.sessions.keys().map(token).collect()
}

/// Keeps a call as a server does whose power fails.
async fn keep(
    store: &SqliteStore,
    group: &Group,
    tokens: &[(ParticipantId, LinkToken)],
) -> anyhow::Result<()> {
    let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH)?;
    let now = UnixMillis(i64::try_from(since_1970.as_millis())?);
    let nonce: [u8; NONCE_LEN] = random()?;
    let meeting = Meeting {
        id: group.meeting,
        token_hash: hash(&group.keys.token)?,
        sealed_title: group.keys.meta.seal_title(nonce, "A crowd")?,
        policy: group.policy.clone(),
        created: now,
    };
    store.create_meeting(meeting).await?;
    let session = |(who, token): &(ParticipantId, LinkToken)| {
        anyhow::Ok(Session { participant: *who, token: hash(token)?, proven: None })
    };
    let sessions = tokens.iter().map(session).collect::<Result<_, _>>()?;
    store.save_sessions(group.meeting, sessions, now).await?;

    let mut snapshot = group.snapshot()?;
    let log = snapshot.take_log();
    let epochs = match (log.first(), log.last()) {
        (Some(first), Some(last)) => first.epoch()..last.epoch() + 1,
        _ => 0..0,
    };
    let commits = log.iter().map(|entry| Ok((entry.epoch(), entry.to_bytes()?)));
    let change = GroupChange {
        state: snapshot.to_bytes()?,
        log: commits.collect::<Result<_, SaveError>>()?,
        epochs,
    };
    store.save_group(group.meeting, change).await?;
    Ok(())
}

/// What a server stores of a token.
fn hash(token: &LinkToken) -> anyhow::Result<TokenHash> {
    let digest = URL_SAFE_NO_PAD.decode(token.hash())?;
    let digest = digest.try_into().ok().context("a digest of another length")?;
    Ok(TokenHash::from_bytes(digest))
}
