//! Sockets, threads and run loops of media shards.
//!
//! A [`Plane`] is some shards, and brings each call to one of them, or to several if it is large. A [`Shard`] is one thread that
//! owns one UDP socket, one TCP listener and one [`Node`](conclave_sfu_proto::Node). It moves bytes
//! and reads the clock; the node decides. Connections that came to another listener enter by an
//! [`Entrance`], or by a [`TurnEntrance`] if they carry TURN, whose server is in the first shard's
//! thread.

mod address;
mod entrance;
mod gather;
mod handover;
mod meter;
mod plane;
mod routes;
mod shard;
mod siblings;
mod stream;
mod tcp;
mod turn;
mod udp;
mod worker;

pub use entrance::Entrance;
pub use plane::{Addresses, Plane, PlaneHandle};
pub use shard::{Running, Shard, ShardConfig, ShardFigures, ShardHandle, StartError};
pub use stream::TurnEntrance;
pub use turn::{TurnConfig, TurnHandle};
