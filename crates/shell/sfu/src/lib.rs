//! Sockets, thread and run loop of a media shard.
//!
//! A [`Shard`] is one thread that owns one UDP socket, one TCP listener and one
//! [`Node`](conclave_sfu_proto::Node). It moves bytes and reads the clock; the node decides.

mod address;
mod meter;
mod shard;
mod tcp;
mod udp;
mod worker;

pub use shard::{Running, Shard, ShardConfig, ShardHandle, StartError};
