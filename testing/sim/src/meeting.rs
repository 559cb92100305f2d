use std::time::SystemTime;

use conclave_call_proto::{CallConfig, NodeKey};
use conclave_commit_rules::{Classification, Constitution, Mode, SUITE_DEFAULT};
use conclave_delivery::ProposalKey;
use conclave_link::{HostSeed, LinkKeys, LinkSecret, PolicyDigest};
use conclave_model::{CallId, MeetingId};
use ed25519_dalek::{Signer as _, SigningKey};

/// How people come into a world's meeting.
#[derive(Clone, Copy, Debug)]
pub struct MeetingSetup {
    /// How people come in.
    pub mode: Mode,
    /// Whether it may begin before a host is there.
    pub join_before_host: bool,
}

impl MeetingSetup {
    /// Whoever holds the link comes in.
    pub const OPEN: Self = Self { mode: Mode::OpenLink, join_before_host: true };

    /// A host lets people in.
    pub const LOBBY: Self = Self { mode: Mode::Lobby, join_before_host: false };
}

/// What a meeting's link leads to and says.
pub(crate) struct Meeting {
    pub(crate) id: MeetingId,
    pub(crate) keys: LinkKeys,
    pub(crate) host: HostSeed,
    /// What it was founded on, and its text.
    founding: Constitution,
    pub(crate) constitution: String,
    pub(crate) digest: PolicyDigest,
    /// When it is founded, in seconds since 1970: the true time, because the group's library judges
    /// lifetimes by the system's clock.
    pub(crate) founded_unix_s: u64,
}

impl Meeting {
    pub(crate) fn found(setup: MeetingSetup) -> Self {
        let id = MeetingId::from_bytes([5; 16]);
        let host = HostSeed::from_bytes([6; 32]);
        let founding = Constitution {
            version: Constitution::VERSION,
            meeting: *id.as_bytes(),
            suite: SUITE_DEFAULT,
            mode: setup.mode,
            join_before_host: setup.join_before_host,
            host_key: host.public_key(),
            issuers: Vec::new(),
            guests: true,
            node_key: node_key().verifying_key().to_bytes(),
            jurisdictions: Vec::new(),
            gateways: false,
            voice_level: true,
            classification: Classification::Open,
            max_members: 1000,
        };
        let constitution = founding.encode().expect("within bounds");
        let since_1970 = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        Self {
            id,
            keys: LinkKeys::derive(&LinkSecret::from_bytes([9; 32]), &id),
            host,
            digest: PolicyDigest::of(&constitution),
            founding,
            constitution,
            founded_unix_s: since_1970.map_or(0, |since| since.as_secs()),
        }
    }

    /// The call that its server keeps for it.
    pub(crate) fn call(&self, now_unix_s: u64) -> CallConfig {
        let (node, proposals) = (node_key(), SigningKey::from_bytes(&[8; 32]));
        let public = proposals.verifying_key().to_bytes();
        CallConfig::new(
            CallId(1),
            200,
            self.founding.clone(),
            NodeKey::new(None, move |bytes| node.sign(bytes).to_bytes()),
            ProposalKey::new(public, move |bytes| proposals.sign(bytes).to_bytes()),
            now_unix_s,
        )
    }
}

fn node_key() -> SigningKey {
    SigningKey::from_bytes(&[7; 32])
}
