//! Meetings in virtual time, under a delivery service that is honest, and under one that is not.

mod honest;
mod hostile;
mod world;
