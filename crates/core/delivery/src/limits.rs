use std::time::Duration;

use crate::pace::Limit;

/// The longest commit.
pub const MAX_COMMIT_LEN: usize = 2 << 20;

/// The longest Welcome.
pub const MAX_WELCOME_LEN: usize = 2 << 20;

/// The longest description of a group: its policy is in it.
pub const MAX_GROUP_INFO_LEN: usize = 1 << 20;

/// The longest tree of a group at its founding.
pub const MAX_FOUNDING_TREE_LEN: usize = 64 << 10;

/// The longest key package of a knock: a sealed identity of 16 KiB fits.
pub const MAX_KNOCK_LEN: usize = 32 << 10;

/// The longest message of a member to all.
pub const MAX_APP_LEN: usize = 64 << 10;

/// The most who wait in the lobby.
pub const MAX_KNOCKS: usize = 256;

/// The most devices that are connected without being members: those who knock, and those about to.
pub const MAX_STRANGERS: usize = 2 * MAX_KNOCKS;

/// The most commits that are kept for those who reconnect.
pub const MAX_LOG_COMMITS: usize = 512;

/// The most bytes of commits and proposals that are kept.
pub const MAX_LOG_LEN: usize = 16 << 20;

/// How many epochs after its own a member's message is still passed on.
pub const MAX_PAST_EPOCHS: u64 = 3;

/// How long a member's socket may be gone before its removal is proposed.
pub const VANISH_AFTER: Duration = Duration::from_secs(20);

/// After a restart of the server, everybody's socket is gone; they need longer to come back.
pub const RETURN_WITHIN: Duration = Duration::from_secs(60);

/// How long members may say that they cannot process a commit.
pub const NACK_WINDOW: Duration = Duration::from_secs(5);

/// How long a newcomer may take from its Welcome to its first epoch.
pub const ENTER_WITHIN: Duration = Duration::from_secs(30);

/// Messages of one device to all.
pub(crate) const APPS: Limit = Limit { every: Duration::from_millis(50), burst: 100 };

/// Commits of one device. Others' must get through: a commit counts whether it is valid or not.
pub(crate) const COMMITS: Limit = Limit { every: Duration::from_secs(1), burst: 8 };

/// Requests of one device for the group, the log, or to found: the answers are long.
pub(crate) const FETCHES: Limit = Limit { every: Duration::from_secs(1), burst: 8 };

/// Knocks of one device with another key package each. Admitters see each.
pub(crate) const KNOCKS: Limit = Limit { every: Duration::from_secs(5), burst: 6 };
