use conclave_commit_rules::{Constitution, Order, PolicyError};
use openmls::prelude::{
    Ciphersuite, CredentialType, Extension, ExtensionType, Extensions, ExternalSender,
    GroupContext, RequiredCapabilitiesExtension, UnknownExtension,
};

/// The extension of the group's context that holds the constitution.
pub const CONSTITUTION: u16 = 0xf0a1;

/// The extension of a leaf that holds its owner's identity.
pub const IDENTITY: u16 = 0xf0a2;

/// The extension of the group's context that holds the order.
pub const ORDER: u16 = 0xf0a3;

/// The extension of a key package that says which stay before was the same device's.
pub const SUCCESSION: u16 = 0xf0a4;

/// The id of the link's pre-shared key (RFC 9420 section 8.4).
pub fn link_psk_id(constitution: &Constitution) -> Vec<u8> {
    [b"link:v1:".as_slice(), &constitution.meeting].concat()
}

/// The cipher suite that a constitution names, of those that meetings may use.
pub fn suite_of(constitution: &Constitution) -> Option<Ciphersuite> {
    let suite = Ciphersuite::try_from(constitution.suite).ok()?;
    matches!(
        suite,
        Ciphersuite::MLS_128_MLKEM768X25519_AES256GCM_SHA384_Ed25519
            | Ciphersuite::MLS_128_MLKEM768X25519_AES128GCM_SHA256_Ed25519
            | Ciphersuite::MLS_128_DHKEMX25519_AES128GCM_SHA256_Ed25519
    )
    .then_some(suite)
}

/// The extensions of a meeting's group: its policy, who must be able to read it, and the server as
/// the one external sender.
///
/// # Errors
///
/// The policy has values out of bounds.
pub fn context_extensions(
    constitution: &Constitution,
    order: &Order,
    server: ExternalSender,
) -> Result<Extensions<GroupContext>, ContextError> {
    let ours = [CONSTITUTION, IDENTITY, ORDER].map(ExtensionType::Unknown);
    let required = RequiredCapabilitiesExtension::new(&ours, &[], &[CredentialType::Basic]);
    let text = |text: Result<String, PolicyError>| {
        text.map(|text| UnknownExtension(text.into_bytes())).map_err(ContextError::Policy)
    };
    Extensions::from_vec(vec![
        Extension::RequiredCapabilities(required),
        Extension::ExternalSenders(vec![server]),
        Extension::Unknown(CONSTITUTION, text(constitution.encode())?),
        Extension::Unknown(ORDER, text(order.encode())?),
    ])
    .map_err(|_| ContextError::Unlike)
}

/// Reads a group's policy, and makes sure that the rest is as in every meeting.
///
/// # Errors
///
/// The context is not one of a meeting.
pub fn read_context(
    extensions: &Extensions<GroupContext>,
) -> Result<(Constitution, Order), ContextError> {
    let constitution = extensions.unknown(CONSTITUTION).ok_or(ContextError::Unlike)?;
    let constitution = Constitution::parse(&constitution.0).map_err(ContextError::Policy)?;
    let order = extensions.unknown(ORDER).ok_or(ContextError::Unlike)?;
    let order = Order::parse(&order.0).map_err(ContextError::Policy)?;
    let [server] = extensions.external_senders().map_or(&[][..], Vec::as_slice) else {
        return Err(ContextError::Unlike);
    };
    let expected = context_extensions(&constitution, &order, server.clone())?;
    let alike = extensions.iter().count() == expected.iter().count()
        && expected.iter().all(|extension| extensions.iter().any(|other| other == extension));
    if alike { Ok((constitution, order)) } else { Err(ContextError::Unlike) }
}

/// Why a context is not one of a meeting.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum ContextError {
    /// The policy cannot be read.
    #[error("the group's policy cannot be read: {0}")]
    Policy(PolicyError),
    /// An extension is missing, superfluous or other than in every meeting.
    #[error("the group is not one of a meeting")]
    Unlike,
}
