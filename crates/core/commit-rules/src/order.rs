use serde::{Deserialize, Serialize};

use crate::constitution::{Classification, PolicyError, encode, parse};
use crate::view::CredentialId;

/// What hosts decide while a meeting goes on: extension 0xF0A3 of the group's context.
///
/// Being in the group's context, it is the same for all members: a server that lies about lock,
/// roles or mutes convinces nobody.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Order {
    /// Nobody comes in.
    pub locked: bool,
    /// How confidential the meeting is now, at least as the constitution says.
    pub classification: Classification,
    /// Who has a role, ordered by credential id. Hosts are not listed: they prove what they are.
    pub roles: Vec<RoleEntry>,
    /// Who may not send what, ordered.
    pub mutes: Vec<Mute>,
}

impl Order {
    /// The longest text that is read.
    pub const MAX_LEN: usize = 512 << 10;

    /// The one text of it.
    ///
    /// # Errors
    ///
    /// A list is out of order.
    pub fn encode(&self) -> Result<String, PolicyError> {
        self.verify()?;
        encode(self, Self::MAX_LEN)
    }

    /// Reads it from foreign bytes.
    ///
    /// # Errors
    ///
    /// It is anything but the one text of an order.
    pub fn parse(bytes: &[u8]) -> Result<Self, PolicyError> {
        let parsed: Self = parse(bytes, Self::MAX_LEN)?;
        parsed.verify()?;
        Ok(parsed)
    }

    /// Gives someone a role; [`Role::Guest`] takes it away. Host is nobody's to give: nothing
    /// changes then.
    pub fn appoint(&mut self, credential: CredentialId, role: Role) {
        if role == Role::Host {
            return;
        }
        self.roles.retain(|entry| entry.credential != credential);
        if role != Role::Guest {
            self.roles.push(RoleEntry { credential, role });
            self.roles.sort_unstable();
        }
    }

    /// The role that is written for someone.
    pub fn role_of(&self, credential: &CredentialId) -> Role {
        let found = self.roles.binary_search_by_key(credential, |entry| entry.credential);
        found.ok().and_then(|at| self.roles.get(at)).map_or(Role::Guest, |entry| entry.role)
    }

    fn verify(&self) -> Result<(), PolicyError> {
        let ascending = self.roles.is_sorted_by(|a, b| a.credential < b.credential);
        let appointable =
            self.roles.iter().all(|entry| !matches!(entry.role, Role::Host | Role::Guest));
        let mutes_ascend = self.mutes.is_sorted_by(|a, b| a < b);
        if ascending && appointable && mutes_ascend { Ok(()) } else { Err(PolicyError::Bounds) }
    }
}

/// What someone may do, lowest first.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// Takes part.
    Guest,
    /// May share a screen where not all may.
    Presenter,
    /// Lets people in, and removes those of lower roles.
    Admitter,
    /// Also locks, mutes, and appoints lower roles.
    CoHost,
    /// Decides everything that the constitution leaves open. Proven by the host key.
    Host,
}

/// Someone's role.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct RoleEntry {
    /// Whose.
    pub credential: CredentialId,
    /// Which.
    pub role: Role,
}

/// Who may not send what.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", tag = "what", content = "who")]
pub enum Mute {
    /// No camera.
    Camera(CredentialId),
    /// No chat.
    Chat(CredentialId),
    /// No microphone.
    Microphone(CredentialId),
    /// No screen.
    Screen(CredentialId),
}
