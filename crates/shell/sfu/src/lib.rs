//! Sockets, thread and run loop of a media shard.
//!
//! A [`Shard`] is one thread that owns one UDP socket, one TCP listener and one
//! [`Node`](conclave_sfu_proto::Node). It moves bytes and reads the clock; the node decides.
//! Connections that came to another listener enter it by its [`Entrance`].

mod address;
mod entrance;
mod meter;
mod shard;
mod tcp;
mod udp;
mod worker;

pub use entrance::Entrance;
pub use shard::{Running, Shard, ShardConfig, ShardHandle, StartError};
