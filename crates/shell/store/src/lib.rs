//! What survives a restart: meetings, the sessions and groups of running calls, the server's keys.
//!
//! [`Store`] is the trait; [`SqliteStore`] keeps one file. There is no name and no secret of a
//! meeting in it: titles come sealed, tokens as digests, groups as they look from outside. The
//! server's own keys sign what it says of its media nodes, and whom it proposes to remove.

mod sqlite;
mod store;

pub use sqlite::{OpenError, SqliteStore};
pub use store::{
    CreateMeetingError, GroupChange, KeptGroup, Meeting, ServerKey, Session, Sessions, Store,
    StoreError, UnixMillis,
};
