//! The delivery service of a meeting's group (RFC 9750 section 5): it orders what it cannot read.
//!
//! One [`DeliveryService`] serves one call. It sees the group from outside, with the library's
//! public view of tree and context; it puts every commit to the rules that members put it to, and
//! the first valid one of an epoch takes effect. It relays knocks to those who may admit, proposes
//! the removal of whoever is gone, and says whose media may flow. It holds no secret of a group,
//! and `clippy.toml` beside this crate keeps the types out that could.
//!
//! Sans-IO: time is an argument, messages come and go as values. The library alone looks at the
//! system's clock, for lifetimes. Should it panic on what a device sent, that message is refused and
//! the group is as it was.

mod encoding;
mod gate;
mod group;
mod guard;
mod key;
mod limits;
mod lobby;
mod log;
mod message;
mod order;
mod pace;
mod public_group;
mod refusal;
mod removal;
mod service;
mod signal;
mod snapshot;
mod split_welcome;
mod storage;
mod verdict;

pub use conclave_commit_rules::resume_statement;
pub use key::ProposalKey;
pub use limits::{
    ENTER_WITHIN, MAX_APP_LEN, MAX_COMMIT_LEN, MAX_FOUNDING_TREE_LEN, MAX_GROUP_INFO_LEN,
    MAX_KNOCK_LEN, MAX_KNOCKS, MAX_LOG_COMMITS, MAX_LOG_LEN, MAX_PAST_EPOCHS, MAX_STRANGERS,
    MAX_WELCOME_LEN, NACK_WINDOW, RETURN_WITHIN, VANISH_AFTER,
};
pub use message::{CommitHash, Gate, Input, Output, RequestRefusal, ToDevice};
pub use refusal::{CommitRefusal, FoundRefusal};
pub use service::DeliveryService;
pub use signal::{NotRequest, news, request};
pub use snapshot::{LogEntry, RestoreError, SaveError, Snapshot};
