//! Real str0m clients against a node, in virtual time.

mod calls;
mod client;
mod hostile;
mod world;
