//! A participant against an echo server, in virtual time.

mod clip;
mod echo;
mod world;
