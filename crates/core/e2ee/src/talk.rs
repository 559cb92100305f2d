use std::collections::{BTreeMap, BTreeSet, VecDeque};

use conclave_commit_rules::CredentialId;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// The most bytes of a chat message.
pub const MAX_CHAT_LEN: usize = 4096;

/// The most bytes of a message of any kind, in clear.
const MAX_MESSAGE_LEN: usize = 32 << 10;

/// Of how many messages it is remembered that they came.
const REMEMBERED: usize = 4096;

/// Something that a person says to all members.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "kind", content = "what")]
pub enum Say {
    /// Asks people to switch their microphones off: one person, or all. From co-hosts up.
    AskMute(Option<CredentialId>),
    /// A text.
    Chat(String),
    /// A hand up, or down.
    Hand(bool),
    /// A sign that passes.
    Reaction(Reaction),
}

impl Say {
    /// Whether it may be sent, and shown.
    pub(crate) fn is_fit(&self) -> bool {
        match self {
            Self::Chat(text) => {
                let shown = |c: char| !c.is_control() || matches!(c, '\n' | '\t');
                !text.trim().is_empty() && text.len() <= MAX_CHAT_LEN && text.chars().all(shown)
            }
            Self::AskMute(_) | Self::Hand(_) | Self::Reaction(_) => true,
        }
    }
}

/// A sign that passes.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reaction {
    /// Clapping hands.
    Clap,
    /// A heart.
    Heart,
    /// Laughter.
    Laugh,
    /// Surprise.
    Surprise,
    /// A thumb down.
    ThumbDown,
    /// A thumb up.
    ThumbUp,
}

/// What a message has in it.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "type", content = "body")]
pub(crate) enum Body {
    Heartbeat(Heartbeat),
    Say(Say),
}

/// Where a member is: that it lives, and in which history.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Heartbeat {
    pub(crate) epoch: u64,
    pub(crate) transcript: Vec<u8>,
    pub(crate) roster: u32,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Envelope {
    /// The sender's count: MLS does not keep a member from repeating another's message
    /// (RFC 9750 section 6.4), nor the server from dropping some.
    n: u64,
    body: Body,
}

/// Messages between members.
#[derive(Default)]
pub(crate) struct Talk {
    sent: u64,
    /// The last count of each sender.
    counts: BTreeMap<CredentialId, u64>,
    /// What could not be sent yet.
    pub(crate) waiting: VecDeque<Body>,
    seen: BTreeSet<[u8; 32]>,
    order: VecDeque<[u8; 32]>,
}

/// What came of a message's count.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Count {
    Missing(u64),
    Next,
    Replayed,
}

impl Talk {
    /// The bytes of the next message; counted when it was sent.
    pub(crate) fn encode(&self, body: &Body) -> Option<Vec<u8>> {
        serde_json::to_vec(&Envelope { n: self.sent + 1, body: body.clone() }).ok()
    }

    pub(crate) fn count_sent(&mut self) {
        self.sent += 1;
    }

    /// Notes a sealed message; true if it came before.
    pub(crate) fn is_repeated(&self, sealed: &[u8]) -> bool {
        self.seen.contains::<[u8; 32]>(&Sha256::digest(sealed).into())
    }

    pub(crate) fn note(&mut self, sealed: &[u8]) {
        let hash: [u8; 32] = Sha256::digest(sealed).into();
        if self.seen.insert(hash) {
            self.order.push_back(hash);
        }
        if self.order.len() > REMEMBERED
            && let Some(oldest) = self.order.pop_front()
        {
            self.seen.remove(&oldest);
        }
    }

    /// Reads a message that was opened.
    pub(crate) fn decode(&mut self, sender: CredentialId, bytes: &[u8]) -> Option<(Count, Body)> {
        if bytes.len() > MAX_MESSAGE_LEN {
            return None;
        }
        let Envelope { n, body } = serde_json::from_slice(bytes).ok()?;
        let count = match self.counts.get(&sender) {
            Some(&last) if n <= last => return Some((Count::Replayed, body)),
            Some(&last) if n > last + 1 => Count::Missing(n - last - 1),
            Some(_) | None => Count::Next,
        };
        self.counts.insert(sender, n);
        Some((count, body))
    }
}
