//! The delivery service with members of real groups.

mod evil;
mod flows;
mod fuzz;
mod world;
