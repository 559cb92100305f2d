//! A member of a meeting's group as crate `mls` has it, for tests with other implementations.

use conclave_commit_rules::{Constitution, CredentialId, IdentityCheck, LeafView, Order};
use conclave_link::{LinkKeys, LinkSecret};
use conclave_mls::{Device, Group, Outgoing, Received, ServerKey};
use conclave_model::MeetingId;
use wasm_bindgen::prelude::wasm_bindgen;

use crate::said;

/// A device before it is in the group. Entering uses it up.
#[wasm_bindgen]
#[derive(Debug)]
pub struct MlsDevice(Device);

#[wasm_bindgen]
impl MlsDevice {
    /// Makes the keys of a stay, from the constitution's text, the link's secret (32 bytes) and the
    /// credential (16 bytes).
    ///
    /// # Errors
    ///
    /// What is wrong with them.
    #[wasm_bindgen(constructor)]
    pub fn new(constitution: &str, secret: &[u8], credential: &[u8]) -> Result<Self, String> {
        let constitution = Constitution::parse(constitution.as_bytes()).map_err(said)?;
        let secret = LinkSecret::from_bytes(secret.try_into().map_err(said)?);
        let meeting = MeetingId::from_bytes(constitution.meeting);
        let link = LinkKeys::derive(&secret, &meeting).psk;
        let credential = CredentialId(credential.try_into().map_err(said)?);
        // What is in the sealed profile is the session's, not the group's.
        let profile = b"sealed".to_vec();
        Device::new(constitution, &link, credential, profile).map(Self).map_err(said)
    }

    /// What the host key signs to make it a host's.
    #[wasm_bindgen(js_name = hostStatement)]
    pub fn host_statement(&self) -> Vec<u8> {
        self.0.host_statement()
    }

    /// Makes it a host's.
    ///
    /// # Errors
    ///
    /// The host key did not sign.
    #[wasm_bindgen(js_name = proveHost)]
    pub fn prove_host(&mut self, signature: &[u8]) -> Result<(), String> {
        self.0.prove_host(signature.try_into().map_err(said)?).map_err(said)
    }

    /// What it knocks with.
    ///
    /// # Errors
    ///
    /// The library failed.
    #[wasm_bindgen(js_name = keyPackage)]
    pub fn key_package(&self, now_unix_s: u32) -> Result<Vec<u8>, String> {
        self.0.key_package(now_unix_s.into()).map_err(said)
    }

    /// Founds the group.
    ///
    /// # Errors
    ///
    /// It may not.
    pub fn found(self, server_key: &[u8], now_unix_s: u32) -> Result<MlsMember, String> {
        let server = ServerKey(server_key.try_into().map_err(said)?);
        let order = Order::default();
        Group::found(self.0, &order, server, [1; 16], now_unix_s.into())
            .map(MlsMember::new)
            .map_err(said)
    }

    /// Joins by an admitter's Welcome.
    ///
    /// # Errors
    ///
    /// What is wrong with the Welcome or the tree.
    pub fn join(self, welcome: &[u8], tree: &[u8]) -> Result<MlsMember, String> {
        let mut group = Group::join(self.0, welcome, tree).map_err(said)?;
        group.verify_members(guest).map_err(said)?;
        Ok(MlsMember::new(group))
    }

    /// Comes in by an external commit, which is the member's to send.
    ///
    /// # Errors
    ///
    /// What is wrong with the group's description or the tree, or that it may not.
    #[wasm_bindgen(js_name = comeInAlone)]
    pub fn come_in_alone(self, group_info: &[u8], tree: &[u8]) -> Result<MlsMember, String> {
        let rejoining = Group::rejoin(self.0, group_info, tree).map_err(said)?;
        let outgoing = rejoining.outgoing().clone();
        Ok(MlsMember { outgoing: Some(outgoing), ..MlsMember::new(rejoining.confirm()) })
    }
}

/// A member. What it commits is ordered at once.
#[wasm_bindgen]
#[derive(Debug)]
pub struct MlsMember {
    group: Group,
    outgoing: Option<Outgoing>,
}

#[wasm_bindgen]
impl MlsMember {
    fn new(group: Group) -> Self {
        Self { group, outgoing: None }
    }

    /// Lets in who knocked with a key package.
    ///
    /// # Errors
    ///
    /// The key package or the commit breaks a rule.
    pub fn admit(&mut self, key_package: &[u8], now_unix_s: u32) -> Result<(), String> {
        let knock = self.group.verify(key_package, guest).map_err(said)?;
        let outgoing = self.group.admit(now_unix_s.into(), vec![knock]).map_err(said)?;
        self.commit(outgoing)
    }

    /// Commits a new path.
    ///
    /// # Errors
    ///
    /// The commit breaks a rule.
    pub fn update(&mut self, now_unix_s: u32) -> Result<(), String> {
        let outgoing = self.group.update(now_unix_s.into()).map_err(said)?;
        self.commit(outgoing)
    }

    /// Removes a member.
    ///
    /// # Errors
    ///
    /// The commit breaks a rule.
    pub fn remove(&mut self, leaf: u32, now_unix_s: u32) -> Result<(), String> {
        let outgoing = self.group.remove(now_unix_s.into(), &[leaf]).map_err(said)?;
        self.commit(outgoing)
    }

    fn commit(&mut self, outgoing: Outgoing) -> Result<(), String> {
        self.group.confirm().map_err(said)?;
        self.outgoing = Some(outgoing);
        Ok(())
    }

    /// The last commit.
    #[wasm_bindgen(js_name = lastCommit)]
    pub fn last_commit(&self) -> Option<Vec<u8>> {
        self.outgoing.as_ref().map(|outgoing| outgoing.commit.clone())
    }

    /// The Welcome for those whom the last commit let in.
    #[wasm_bindgen(js_name = lastWelcome)]
    pub fn last_welcome(&self) -> Option<Vec<u8>> {
        self.outgoing.as_ref().and_then(|outgoing| outgoing.welcome.clone())
    }

    /// Takes a message of the group in: what a member says, or nothing of a commit.
    ///
    /// # Errors
    ///
    /// It is not valid, breaks a rule, or is of a kind that the tests do not send.
    pub fn receive(&mut self, message: &[u8], now_unix_s: u32) -> Result<Option<Vec<u8>>, String> {
        match self.group.receive(now_unix_s.into(), message, guest).map_err(said)? {
            Received::Committed(_) => Ok(None),
            Received::Message(message) => Ok(Some(message.bytes)),
            other @ (Received::RemovalProposed(_) | Received::Removed) => Err(said(other)),
        }
    }

    /// A message to all members.
    ///
    /// # Errors
    ///
    /// Sending has stopped.
    pub fn send(&mut self, message: &[u8]) -> Result<Vec<u8>, String> {
        self.group.send(message).map_err(said)
    }

    /// The base key of this epoch's media frames, once.
    #[wasm_bindgen(js_name = takeFrameKey)]
    pub fn take_frame_key(&mut self) -> Option<Vec<u8>> {
        self.group.take_frame_key().map(|key| key.to_vec())
    }

    /// What people read to each other.
    #[wasm_bindgen(js_name = safetyCode)]
    pub fn safety_code(&self) -> String {
        self.group.safety_code().to_string()
    }

    /// The confirmed transcript hash.
    #[wasm_bindgen(js_name = transcriptHash)]
    pub fn transcript_hash(&self) -> Vec<u8> {
        self.group.fork_mark().transcript_hash
    }

    /// The epoch.
    pub fn epoch(&self) -> f64 {
        u32::try_from(self.group.epoch()).unwrap_or(u32::MAX).into()
    }

    /// The number of members.
    ///
    /// # Errors
    ///
    /// Someone is not like a meeting's member.
    #[wasm_bindgen(js_name = memberCount)]
    pub fn member_count(&self) -> Result<usize, String> {
        self.group.members().map(|members| members.len()).map_err(said)
    }

    /// The ratchet tree.
    ///
    /// # Errors
    ///
    /// The library failed.
    pub fn tree(&self) -> Result<Vec<u8>, String> {
        self.group.tree().map_err(said)
    }

    /// The group's public description.
    ///
    /// # Errors
    ///
    /// The library failed.
    #[wasm_bindgen(js_name = groupInfo)]
    pub fn group_info(&self) -> Result<Vec<u8>, String> {
        self.group.group_info().map_err(said)
    }
}

/// Everybody's identity opens: the tests have no others.
fn guest(_: &LeafView) -> IdentityCheck {
    IdentityCheck::Guest
}
