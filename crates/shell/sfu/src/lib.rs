//! Sockets, thread and run loop of a media shard.
