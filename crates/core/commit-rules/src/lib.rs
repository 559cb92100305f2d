//! The acceptance rules of a commit, and the policy that they read.
//!
//! Who is a member is decided by members' devices. Each of them, and the server for as far as it
//! can see, puts every commit to [`check`] before it takes effect. The function is pure and total
//! and knows no MLS library: whoever applies it describes group and commit in plain data.

mod bytes;
mod check;
mod constitution;
mod identity;
mod order;
mod view;

pub use check::{
    Accepted, Entry, Refusal, Rule, UPDATE_SPACING, add_spacing, check, check_key_package,
};
pub use constitution::{
    Classification, Constitution, Issuer, Jurisdiction, Mode, PolicyError, SUITE_DEFAULT,
};
pub use identity::{
    LeafIdentity, Succession, host_statement, resume_statement, succession_statement,
};
pub use order::{Mute, Order, Role, RoleEntry};
pub use view::{
    CommitSender, CommitView, ContextView, CredentialId, GroupView, IdentityCheck, KeyPackageView,
    LeafView, MAX_LIFETIME, ProposalKind, ProposalSender, ProposalView, PskView, UpdateClock,
};
