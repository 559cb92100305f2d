//! The meeting link and what is derived from its secret.
//!
//! A link names a meeting and carries, in its fragment, a secret that no server sees. From that
//! secret come the token that the server checks, the key under which title and names are sealed,
//! and the pre-shared key of the meeting's group. A host link carries the host key's seed as well.

mod derive;
mod fragment;
mod host;
mod policy;
mod seal;
mod text;

pub use derive::{LinkKeys, LinkPsk, LinkToken, MetaKey};
pub use fragment::{LinkError, LinkSecret, MeetingLink, Origin, OriginError};
pub use host::HostSeed;
pub use policy::PolicyDigest;
pub use seal::{NONCE_LEN, OpenError, Profile, SealError};
pub use text::{MAX_NAME_CHARS, MAX_TITLE_CHARS, clean_name, clean_title};
