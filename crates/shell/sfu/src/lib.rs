//! Sockets, thread and run loop of a media shard.
//!
//! A [`Shard`] is one thread that owns one UDP socket, one TCP listener and one
//! [`Node`](conclave_sfu_proto::Node). It moves bytes and reads the clock; the node decides.
//! Connections that came to another listener enter it by its [`Entrance`], or by its [`TurnEntrance`]
//! if they carry TURN, whose server is in the same thread.

mod address;
mod entrance;
mod meter;
mod shard;
mod stream;
mod tcp;
mod turn;
mod udp;
mod worker;

pub use entrance::Entrance;
pub use shard::{Running, Shard, ShardConfig, ShardHandle, StartError};
pub use stream::TurnEntrance;
pub use turn::{TurnConfig, TurnHandle};
