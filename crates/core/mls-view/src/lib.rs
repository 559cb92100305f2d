//! Group and commits of OpenMLS, read into the plain data that the commit rules judge.
//!
//! Members and server read alike: both see the public part of a group only through this crate, so
//! that they cannot differ on what a commit does. No type here holds a secret.

mod commit;
mod context;
mod leaf;

pub use commit::{ViewError, commit_view, group_view, is_server_removal};
pub use context::{
    CONSTITUTION, ContextError, IDENTITY, ORDER, SUCCESSION, context_extensions, link_psk_id,
    read_context, suite_of,
};
pub use leaf::{LeafError, key_package_view, leaf_view};
