//! What survives a restart: meetings, and the sessions of running calls.
//!
//! [`Store`] is the trait; [`SqliteStore`] keeps one file. There is no name and no secret in it:
//! titles come sealed, tokens as digests.

mod sqlite;
mod store;

pub use sqlite::{OpenError, SqliteStore};
pub use store::{CreateMeetingError, Meeting, Session, Sessions, Store, StoreError, UnixMillis};
